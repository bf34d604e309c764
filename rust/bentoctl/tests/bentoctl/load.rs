// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `load` and `unload`: what is refused before the kernel is asked, and why.

use crate::support::{NEW, OLD, Tree};
use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use std::fs;

const MAGIC: u64 = 0x4f_544e_4542;

/// What a file is to say of itself.
struct Module<'a> {
    name: &'a str,
    release: &'a str,
    abi: u32,
    magic: u64,
}

const GOOD: Module<'_> = Module {
    name: NEW,
    release: "6.12.0-test",
    abi: 3,
    magic: MAGIC,
};

/// Writes a `.ko` file of which nothing but the sections that are looked at is there.
fn write(tree: &Tree, module: &Module<'_>) -> String {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let info = elf.add_section(Vec::new(), b".modinfo".to_vec(), SectionKind::ReadOnlyData);
    let text = format!(
        "alias=bento_xv6\0version=1.1.0\0depends=bentofs\0srcversion=AAAA\0name={}\0\
         vermagic={} SMP preempt mod_unload modversions \0",
        module.name, module.release
    );
    elf.append_section_data(info, text.as_bytes(), 1);
    let data = elf.add_section(Vec::new(), b".rodata".to_vec(), SectionKind::ReadOnlyData);
    elf.append_section_data(data, &[0xff; 24], 8);
    let mut table = module.magic.to_le_bytes().to_vec();
    table.extend(module.abi.to_le_bytes());
    table.extend([0; 380]);
    let value = elf.append_section_data(data, &table, 8);
    elf.add_symbol(Symbol {
        name: b"bento_rust_ops".to_vec(),
        value,
        size: 392,
        kind: SymbolKind::Data,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(data),
        flags: SymbolFlags::None,
    });
    let path = tree.path("module.ko");
    fs::write(&path, elf.write().expect("an ELF file")).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

/// The exit code and the message behind the name of the file.
fn refused(tree: &Tree, module: &Module<'_>) -> (i32, String) {
    let file = write(tree, module);
    let (code, message) = tree.failure(&["load", &file]);
    let text = message.strip_prefix(&format!("bentoctl: {file}: "));
    (code, text.expect("the file is named").trim_end().to_owned())
}

#[test]
fn what_cannot_be_used_here_is_refused_with_the_reason() {
    let tree = Tree::new("what_cannot_be_used_here_is_refused_with_the_reason");
    let release = "6.1.0-other";
    assert_eq!(
        refused(&tree, &Module { release, ..GOOD }),
        (
            5,
            "built for kernel 6.1.0-other, but 6.12.0-test runs; build it for this kernel".into()
        )
    );
    assert_eq!(
        refused(&tree, &Module { abi: 2, ..GOOD }),
        (
            5,
            "built for bentofs ABI 2, but the loaded bentofs has ABI 3; build both from one tree"
                .into()
        )
    );
    assert_eq!(
        refused(&tree, &Module { magic: 7, ..GOOD }),
        (5, "a kernel module, but not a Bento file system".into())
    );
}

#[test]
fn files_that_are_no_modules_are_refused() {
    let tree = Tree::new("files_that_are_no_modules_are_refused");
    let module = write(&tree, &GOOD);
    let bytes = fs::read(&module).expect("a module");
    for length in [0, 10, 63, 64, 200, bytes.len() / 2] {
        fs::write(&module, bytes.get(..length).expect("shorter")).expect("a file");
        let (code, message) = tree.failure(&["load", &module]);
        assert_eq!(code, 5, "{length}: {message}");
        assert!(message.contains("not a"), "{length}: {message}");
    }
    let (code, message) = tree.failure(&["load", "/nowhere/module.ko"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("/nowhere/module.ko: No such file"),
        "{message}"
    );
}

#[test]
fn a_module_that_is_loaded_is_not_loaded_again() {
    let tree = Tree::new("a_module_that_is_loaded_is_not_loaded_again");
    let file = write(&tree, &GOOD);
    tree.put(&format!("sys/module/{NEW}/srcversion"), "AAAA");
    let said = format!("xv6 1.1.0 was loaded already: {NEW}\n");
    for name in [&file, NEW, "1.1.0", &NEW.replace('_', "-")] {
        assert_eq!(tree.text(&["load", name]), said);
    }
    assert_eq!(tree.json(&["load", "1.1.0"])["already"], true);
    tree.put(&format!("sys/module/{NEW}/srcversion"), "BBBB");
    let (code, message) = tree.failure(&["load", &file]);
    assert_eq!(code, 7);
    assert!(
        message.contains("another module is loaded under the name"),
        "{message}"
    );
}

#[test]
fn a_build_that_serves_a_mount_is_not_unloaded() {
    let tree = Tree::new("a_build_that_serves_a_mount_is_not_unloaded");
    tree.mount("vdb", "254:16", "/mnt");
    let (code, message) = tree.failure(&["unload", "1.0.0"]);
    assert_eq!(code, 7);
    assert_eq!(
        message,
        format!("bentoctl: {OLD} serves vdb: unmount, or upgrade to another build first\n")
    );
    let (code, message) = tree.failure(&["unload", "ext4"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("ext4: no build that is loaded"),
        "{message}"
    );
}
