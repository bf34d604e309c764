# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A package scope made of pinned Debian packages: no nixpkgs, no binary cache.
#
#   lock/SUITE.json   which .debs (pool path and sha256), written by ./update from apt's signed index
#   lock/rust.json    which Rust tarballs, from the release's manifest
#   busybox           the seed: the one static program that unpacks everything else
#
# A suite supplies one kernel and the compiler that Debian built it with. What does not depend
# on the kernel (Rust, host programs, emulator, guest) comes from `tools`, the same for all.
# The suite "debug" has a kernel of our own, with more checkers, instead of Debian's; "plots" has
# none, but what draws the report of ./dev bench. Both are fetched where they are asked for alone.
#
# Every download is a fixed-output derivation: where it comes from (`mirrors`, or a store that
# ./prefetch has filled) never changes an output path.
{
  suite ? "bookworm-backports",
  system ? "x86_64-linux",
  mirrors ? import ./mirrors.nix,
}:
let
  readLock = name: builtins.fromJSON (builtins.readFile (./lock + "/${name}.json"));
  lock = readLock suite;
  rustLock = readLock "rust";
  toolsSuite = "bookworm";
  tools =
    if suite == toolsSuite then
      scope
    else
      import ./. {
        inherit system mirrors;
        suite = toolsSuite;
      };

  fetch =
    base: name: path: sha256:
    import <nix/fetchurl.nix> {
      inherit sha256;
      url = "${base}/${path}";
      name = builtins.replaceStrings [ "~" ] [ "-" ] name; # Nix allows no ~ in a store name.
    };

  deb =
    name:
    let
      package = lock.packages.${name};
    in
    fetch mirrors.debian (baseNameOf package.path) package.path package.sha256;

  run =
    script: args:
    derivation (
      {
        inherit system;
        inherit (tools) busybox;
        builder = "${tools.busybox}/bin/busybox";
        args = [
          "sh"
          "-e"
          script
        ];
      }
      // args
    );

  # Its name does not tell the suite: equal lists of packages are then one output.
  unpack =
    name: names:
    run ./unpack.sh {
      inherit name;
      debs = map deb names;
    };

  # Runs a script in a chroot of a root, which the builder makes in a user namespace of its own.
  inRoot =
    root: setup: args:
    run ./enter.sh ({ inherit root setup; } // args);

  # Like nixpkgs' stdenv.mkDerivation, in the parts that this project uses.
  mkDerivation =
    root: args:
    inRoot root ./setup.sh (
      {
        name = "${args.pname}-${args.version}";
      }
      // removeAttrs args [
        "meta"
        "passthru"
      ]
    )
    // (args.passthru or { });

  runCommand =
    root: name: env: buildCommand:
    mkDerivation root (env // { inherit name buildCommand; });

  importCargoLock = import ./cargo-vendor.nix {
    inherit (tools) runCommand;
    fetchCrate =
      p:
      fetch mirrors.crates "crate-${p.name}-${p.version}.tar.gz" "${p.name}/${p.version}/download"
        p.checksum;
  };

  stockKernel = {
    inherit (lock.kernel) series;
    inherit (lock.packages.${builtins.head lock.kernel.image}) version;
    modDirVersion = lock.kernel.release;
    packages = lock.kernel.image;
    moduleBuildDependencies = [ ];
    dev = run ./kernel-dev.sh {
      name = "linux-${lock.kernel.release}-dev";
      modDirVersion = lock.kernel.release;
      debs = map deb lock.kernel.dev;
    };
    # A real source tree, about 9,500 files, for tests that want one.
    tree =
      let
        common = builtins.head (
          builtins.filter (name: builtins.match "linux-headers-.*-common" name != null) lock.kernel.dev
        );
      in
      "${stockKernel.dev}/usr/src/${common}";
    image = unpack "linux-${lock.kernel.release}" lock.kernel.image;
  };

  scope = {
    inherit suite tools importCargoLock;
    inherit (lock.kernel) series;
    available = !(lock.unavailable or false);

    # The kernel's own compiler, as linuxPackages.stdenv is in nixpkgs.
    root = unpack "debian-build" lock.roots.build;
    stdenv.mkDerivation = mkDerivation scope.root;
    runCommand = runCommand scope.root;

    kernel =
      if lock.kernel ? source then
        scope.callPackage ./debug-kernel.nix { } {
          inherit (lock.kernel) series;
          inherit (lock.packages.${lock.kernel.source}) version;
          modDirVersion = lock.kernel.release;
          source = deb lock.kernel.source;
        }
      else
        stockKernel;

    # What follows is asked of `tools` alone.

    # Fixed by its hash, so it may be taken out of its .deb by whatever is at hand: ./prefetch
    # does so, as does this builder where fixed-output builds see the host's /bin/sh
    # (sandbox = relaxed or false).
    busybox = derivation {
      name = "busybox";
      inherit system;
      builder = "/bin/sh";
      args = [ ./seed.sh ];
      deb = deb "busybox-static";
      outputHashMode = "recursive";
      outputHashAlgo = "sha256";
      outputHash = lock.busybox;
    };
    emulator = unpack "debian-emulator" lock.roots.emulator;
    guest = unpack "debian-guest" lock.roots.guest;
    # perf, and those of its libraries that the guest does not have.
    perf = unpack "debian-perf" (
      builtins.filter (name: !builtins.elem name lock.roots.guest) lock.roots.perf
    );
    rust = inRoot scope.root ./unpack-rust.sh {
      name = "rust-${rustLock.version}";
      tarballs = map (c: fetch mirrors.rust (baseNameOf c.path) c.path c.sha256) rustLock.components;
    };
    # Builds with the compiler of `tools`, so that programs run in the guest.
    buildRust = import ./build-rust.nix {
      inherit importCargoLock;
      inherit (tools) stdenv rust;
    };
    # Runs a command where QEMU and Python are.
    runVm = runCommand tools.emulator;
    # Where matplotlib is; asked of the suite "plots", which has no kernel.
    plots = unpack "debian-plots" lock.roots.plots;
    # Runs a command where libclang is.
    runBindgen = runCommand (unpack "debian-bindgen" lock.roots.bindgen);
    # What dpkg would know of a guest with a kernel's image, had it installed them.
    dpkgStatus =
      kernel:
      builtins.toFile "dpkg-status" (
        builtins.concatStringsSep "\n" (
          map (name: ''
            Package: ${name}
            Status: install ok installed
            Maintainer: Debian
            Architecture: amd64
            Version: ${lock.packages.${name}.version or kernel.version}
            Description: part of this system
          '') (lock.roots.guest ++ kernel.packages)
        )
      );
    guestImage = scope.callPackage ./guest.nix { };
    boot = scope.callPackage ./boot.nix { };
    makeSystem = scope.callPackage ./system.nix { };

    callPackage =
      file: args:
      let
        f = import file;
      in
      f (builtins.intersectAttrs (builtins.functionArgs f) scope // args);
  };
in
scope
