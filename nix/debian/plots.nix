# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bin/bento-plots FOLDER: draws the report of ./dev bench, outside of a Nix build. FOLDER holds the
# scripts and results of nixos-tests/bench/; the report lands beside the results.
{
  tools,
  runCommand,
  root, # with matplotlib
}:
runCommand "bento-plots" { } ''
  mkdir -p $out/bin
  cat > $out/setup.sh <<'EOF'
  cd /build
  # Debian's linear algebra lies in folders that its maintainer scripts would link to.
  lib=/usr/lib/x86_64-linux-gnu
  export LD_LIBRARY_PATH=$lib/blas:$lib/lapack MPLBACKEND=agg MPLCONFIGDIR=/tmp/matplotlib
  exec python3 -B plot.py results results/report.html
  EOF
  cat > $out/bin/bento-plots <<EOF
  #!/bin/sh
  set -e
  [ \$# = 1 ] || { echo "usage: bento-plots FOLDER" >&2; exit 2; }
  export NIX_BUILD_TOP="\$1"
  export busybox=${tools.busybox} root=${root} setup=$out/setup.sh
  exec $busybox/bin/busybox sh -e ${./enter.sh}
  EOF
  chmod 755 $out/bin/bento-plots
''
