# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Generates the Rust bindings of bento_abi.h again: fails where what is committed differs.
{ runBindgen, bindgen }:
runBindgen "bento-bindings"
  {
    version = "0";
    nativeBuildInputs = [ bindgen ];
    script = ../rust/bento-sys/generate.sh;
    bindings = ../rust/bento-sys/src/bindings.rs;
    header = ../kernel-module/include/bento_abi.h;
    check = ../kernel-module/abi_check.c;
  }
  ''
    mkdir -p tree/rust/bento-sys/src tree/kernel-module/include
    cp $script tree/rust/bento-sys/generate.sh
    cp $bindings tree/rust/bento-sys/src/bindings.rs
    cp $header tree/kernel-module/include/bento_abi.h
    cp $check tree/kernel-module/abi_check.c
    export LIBCLANG_PATH=/usr/lib/x86_64-linux-gnu
    sh tree/rust/bento-sys/generate.sh --check
    touch $out
  ''
