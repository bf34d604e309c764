// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each kind of damage is found by the checker, and no other test image has it.

mod host;

use bento::{BlockBuf, BlockDevice, BlockNo, Errno, FileKind};
use bento_sim::MemDisk;
use core::cell::Cell;
use host::{Host, PLAIN, fresh, pattern};
use xv6::check::{Finding, check, check_watched};
use xv6::checksum::{Sums, of_super};
use xv6::layout::{self, RawDirHead, RawDirent, RawExtent, RawHead, RawInode, RawNode, RawSuper};
use xv6::layout::{RawChild, RawPair, RawTable, RawTop};
use xv6::layout::{RawXattr, RawXattrHead};
use xv6::mend::mend;
use xv6::superblock::{Geometry, Super};
use xv6::{CorruptKind, Xv6};
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, IntoBytes};

/// A clean image that holds a bit of everything.
struct Bench {
    disk: MemDisk,
    geometry: Geometry,
    sums: Sums,
    tested: Cell<bool>,
}

const ROOT: u32 = 1;
const DIR: u32 = 2;
const FILE: u32 = 3;
const TREE: u32 = 4;
const SHORT_LINK: u32 = 5;
const LONG_LINK: u32 = 6;
const DEVICE: u32 = 7;
const SUBDIR: u32 = 8;
const BIG: u32 = 9;
const FREE: u32 = 10;

/// What the file has that no test damages.
fn kept() -> Vec<u8> {
    pattern(30_000, 5)
}

impl Bench {
    fn new() -> Self {
        let host = fresh(1024);
        host.mkdir("dir").expect("mkdir");
        host.create("dir/file").expect("create");
        host.write("dir/file", 0, &pattern(20_000, 1))
            .expect("write");
        host.create("tree").expect("create");
        for n in 0..20 {
            host.write("tree", n * 8192, &pattern(4096, n))
                .expect("write");
        }
        host.symlink("short", "dir/file").expect("symlink");
        host.symlink("long", &"x".repeat(2000)).expect("symlink");
        host.mknod("device", FileKind::CharDevice.mode_bits() | 0o600, 0x103)
            .expect("mknod");
        host.mkdir("dir/subdir").expect("mkdir");
        host.mkdir("big").expect("mkdir");
        for n in 0..600 {
            host.link("device", &format!("big/{n:08}")).expect("link");
        }
        host.create("gone").expect("create");
        host.mkdir("keep").expect("mkdir");
        host.create("keep/data").expect("create");
        host.write("keep/data", 0, &kept()).expect("write");
        host.remove("gone").expect("remove");
        let disk = host.unmount();
        let sup = Super::read(&disk, false).expect("valid");
        let bench = Self {
            disk,
            geometry: sup.geometry,
            sums: sup.sums(),
            tested: Cell::new(false),
        };
        assert_eq!(bench.inode(TREE).depth, 1);
        assert_eq!(bench.get::<RawTop>(bench.top(), 0).head.depth, 1);
        assert_eq!(bench.inode(FREE).mode, 0);
        assert_ne!(bench.inode(FREE).generation, 0);
        bench
    }

    fn get<T: layout::Bytes>(&self, block: u64, offset: u16) -> T {
        let buf = self.disk.read(BlockNo(block)).expect("inside");
        let bytes = buf.bytes().expect("not poisoned");
        layout::get(&bytes, offset).expect("inside")
    }

    fn edit<T: layout::Bytes + IntoBytes>(
        &self,
        block: u64,
        offset: u16,
        change: impl FnOnce(&mut T),
    ) {
        let mut value: T = self.get(block, offset);
        change(&mut value);
        self.damage(block, offset, value.as_bytes());
        self.seal(block);
    }

    /// Changes bytes and leaves the checksum as it was.
    fn damage(&self, block: u64, offset: u16, bytes: &[u8]) {
        self.disk
            .damage(block, offset.into(), bytes)
            .expect("inside");
    }

    fn flip_byte(&self, block: u64, offset: u16) {
        let byte: u8 = self.get(block, offset);
        self.damage(block, offset, &[byte ^ 0x10]);
    }

    /// Makes the checksums of a block right: what is found then is not found by them.
    fn seal(&self, block: u64) {
        let mut bytes: [u8; 4096] = self.get(block, 0);
        self.sums
            .seal_any(&self.geometry, BlockNo(block), &mut bytes);
        self.damage(block, 0, &bytes);
    }

    fn place(&self, ino: u32) -> (u64, u16) {
        let ino = self.geometry.ino(ino.into()).expect("in range");
        let (block, offset) = self.geometry.inode_place(ino);
        (block.0, offset)
    }

    fn inode(&self, ino: u32) -> RawInode {
        let (block, offset) = self.place(ino);
        self.get(block, offset)
    }

    fn edit_inode(&self, ino: u32, change: impl FnOnce(&mut RawInode)) {
        let (block, offset) = self.place(ino);
        self.edit(block, offset, change);
    }

    /// An entry of the extent root.
    fn root_extent(&self, ino: u32, index: usize) -> RawExtent {
        let inode = self.inode(ino);
        let entries = <[RawExtent]>::ref_from_bytes(&inode.area).expect("8 entries");
        entries[index]
    }

    fn edit_extent(&self, ino: u32, index: u16, change: impl FnOnce(&mut RawExtent)) {
        let (block, offset) = self.place(ino);
        self.edit(block, offset + 128 + 16 * index, change);
    }

    /// The first block of the file, or of the tree.
    fn first_block(&self, ino: u32) -> u64 {
        self.root_extent(ino, 0).block.get()
    }

    /// The top of the index of the large directory.
    fn top(&self) -> u64 {
        self.inode(BIG).index.get()
    }

    fn index_root(&self) -> u64 {
        self.get::<RawTop>(self.top(), 0).root.get()
    }

    fn index_leaf(&self) -> u64 {
        self.get::<RawChild>(self.index_root(), 16).block.get()
    }

    fn gap_table(&self) -> u64 {
        self.get::<RawTable>(self.top(), 32).block.get()
    }

    fn flip(&self, map: u64, bit: u64) {
        let block = map + bit / (8 * 4080);
        let byte = u16::try_from(bit % (8 * 4080) / 8).expect("in a block");
        self.edit(block, 16 + byte, |byte: &mut u8| *byte ^= 1 << (bit % 8));
    }

    /// The entry of the directory's first block that names `ino`.
    fn entry(&self, dir: u32, ino: u32) -> (u64, u16) {
        let block = self.first_block(dir);
        let mut at = layout::DIR_START;
        while at < layout::BLOCK_SIZE {
            let entry: RawDirent = self.get(block, at);
            if entry.ino.get() == ino {
                return (block, at);
            }
            at += entry.rec_len.get();
        }
        panic!("no entry names {ino}");
    }

    fn edit_entry(&self, dir: u32, ino: u32, change: impl FnOnce(&mut RawDirent)) {
        let (block, at) = self.entry(dir, ino);
        self.edit(block, at, change);
    }

    /// Gives the file two extended attributes, `user.a` = `AA` (at byte 16 of the block) and
    /// `user.b` = `BB` (at byte 28); returns their block.
    fn add_xattrs(&self) -> u64 {
        let block = self.geometry.data().end - 1;
        self.flip(self.geometry.block_map(), block);
        self.edit_inode(FILE, |i| {
            i.xattr = block.into();
            i.blocks = (i.blocks.get() + 1).into();
        });
        let head = RawXattrHead {
            magic: layout::XATTR_MAGIC,
            checksum: 0.into(),
            owner: FILE.into(),
            used: 40.into(),
            reserved: 0.into(),
        };
        let entries = b"\x02\0\x06\0user.aAA\x02\0\x06\0user.bBB";
        let bytes = [head.as_bytes(), entries.as_slice(), &[0; 4056]].concat();
        self.damage(block, 0, &bytes);
        self.seal(block);
        let report = check(&self.disk).expect("there is a superblock");
        assert!(report.is_clean(), "{:?}", report.findings);
        block
    }

    /// The checker finds this kind, and neither it nor a mount changes or breaks anything.
    fn expect(&self, kind: CorruptKind) {
        self.tested.set(true);
        let before = self.disk.image();
        let report = check(&self.disk).expect("there is a superblock");
        assert!(report.has(kind), "{kind:?}: {:?}", report.findings);
        assert_eq!(self.disk.image(), before, "checking changes nothing");
        self.mend();
    }

    /// A repair leaves nothing to repair, and keeps what was not damaged.
    fn mend(&self) {
        let mended = mend(&self.disk, |_| ()).expect("repaired");
        assert!(!mended.before.is_clean());
        assert!(mended.after.is_clean(), "{mended:?}");
        let image = self.disk.image();
        let again = mend(&self.disk, |_| ()).expect("clean");
        assert!(again.before.is_clean());
        assert!(self.disk.image() == image, "a second repair does nothing");
        let host = Host::mount(self.disk.clone()).expect("a clean file system mounts");
        let paths = ["keep/data", "lost+found/#11/data"];
        let data = paths.iter().find_map(|path| host.read(path).ok());
        assert!(data == Some(kept()), "a file that was not damaged is lost");
        host.create("new").expect("it can be changed");
        host.fs.sync(&host.req()).expect("sync");
        let report = check(&host.unmount()).expect("a superblock");
        assert!(report.is_clean(), "{:?}", report.findings);
    }

    /// The superblock is refused.
    fn expect_refused(&self, error: Errno) {
        self.tested.set(true);
        let before = self.disk.image();
        assert_eq!(check(&self.disk).expect_err("refused"), error);
        assert_eq!(
            Xv6::mount(self.disk.clone(), &PLAIN).expect_err("refused"),
            error
        );
        assert_eq!(self.disk.image(), before, "a refused mount changes nothing");
    }

    /// Leaves its checksum to the change.
    fn edit_super(&self, change: impl FnOnce(&mut RawSuper)) {
        let mut raw: RawSuper = self.get(0, 0);
        change(&mut raw);
        self.damage(0, 0, raw.as_bytes());
    }
}

use bento::FileSystem;

impl Drop for Bench {
    fn drop(&mut self) {
        assert!(
            self.tested.get() || std::thread::panicking(),
            "tests nothing"
        );
    }
}

/// One test per line: the damage, and the kind that the checker must find.
macro_rules! damages {
    ($($name:ident: $kind:ident, |$bench:ident| $damage:expr;)*) => {
        $(#[test]
        fn $name() {
            let $bench = Bench::new();
            $damage;
            $bench.expect(CorruptKind::$kind);
        })*

        /// Kinds with a test above.
        const FOUND: &[CorruptKind] = &[$(CorruptKind::$kind),*];
    };
}

damages! {
    backup: SuperBackup, |b| b.edit(b.geometry.backup().0, 48, |byte: &mut u8| *byte ^= 1);
    sum_of_the_inode_map: BlockChecksum, |b| b.flip_byte(b.geometry.inode_map(), 4095);
    sum_of_the_orphan_map: BlockChecksum, |b| b.flip_byte(b.geometry.orphan_map(), 5);
    sum_of_the_block_map: BlockChecksum, |b| b.flip_byte(b.geometry.block_map(), 100);
    sum_of_an_extent_block: BlockChecksum, |b| b.flip_byte(b.first_block(TREE), 4095);
    sum_of_a_directory_block: BlockChecksum, |b| b.flip_byte(b.first_block(DIR), 4095);
    sum_of_an_index_top: IndexChecksum, |b| b.flip_byte(b.top(), 4095);
    sum_of_an_index_node: IndexChecksum, |b| b.flip_byte(b.index_leaf(), 4095);
    sum_of_a_gap_table: IndexChecksum, |b| b.flip_byte(b.gap_table(), 4095);
    sum_of_an_xattr_block: BlockChecksum, |b| b.flip_byte(b.add_xattrs(), 4095);
    sum_of_a_link_block: BlockChecksum, |b| b.flip_byte(b.first_block(LONG_LINK), 4095);
    inode_map_head: MapHead, |b| b.edit(b.geometry.inode_map(), 0, |h: &mut RawHead| h.magic = 7.into());
    orphan_map_head: MapHead, |b| b.edit(b.geometry.orphan_map(), 0, |h: &mut RawHead| h.owner = 1.into());
    block_map_head: MapHead, |b| b.edit(b.geometry.block_map(), 0, |h: &mut RawHead| h.extra = 1.into());
    sum_of_an_inode: InodeChecksum, |b| {
        let (block, offset) = b.place(FILE);
        b.flip_byte(block, offset + 4);
    };
    sum_of_a_free_inode: InodeChecksum, |b| {
        let (block, offset) = b.place(FREE);
        b.flip_byte(block, offset + 80);
    };
    root_missing: RootMissing, |b| b.edit_inode(ROOT, |i| i.parent = 2.into());
    inode_kind: InodeKind, |b| b.edit_inode(FILE, |i| i.mode = 0o030_644.into());
    inode_mode: InodeMode, |b| b.edit_inode(FILE, |i| i.mode = 0o1_100_644.into());
    inode_flags: InodeFlags, |b| b.edit_inode(FILE, |i| i.flags = 2.into());
    inode_flag_on_directory: InodeFlags, |b| b.edit_inode(DIR, |i| i.flags = 1.into());
    inode_reserved: InodeReserved, |b| b.edit_inode(FILE, |i| i.reserved[3] = 1);
    inode_unknown_attribute: InodeFlags, |b| b.edit_inode(FILE, |i| i.attributes = 1.into());
    inode_attribute_of_another_kind: InodeFlags, |b| b.edit_inode(DEVICE, |i| i.attributes = 8.into());
    file_too_large: InodeSize, |b| b.edit_inode(FILE, |i| i.size = ((1 << 43) + 1).into());
    directory_of_odd_size: InodeSize, |b| b.edit_inode(DIR, |i| i.size = 4097.into());
    directory_too_short: InodeSize, |b| b.edit_inode(DIR, |i| i.size = 0.into());
    empty_link: InodeSize, |b| b.edit_inode(SHORT_LINK, |i| i.size = 0.into());
    inode_time: InodeTime, |b| b.edit_inode(FILE, |i| i.ctime_ns = 1_000_000_000.into());
    inode_links: InodeLinks, |b| b.edit_inode(DIR, |i| i.nlink = 1.into());
    inode_device: InodeDevice, |b| b.edit_inode(FILE, |i| i.rdev = 1.into());
    inode_parent: InodeParent, |b| b.edit_inode(DIR, |i| i.parent = 0.into());
    inode_parent_of_file: InodeParent, |b| b.edit_inode(FILE, |i| i.parent = 1.into());
    inode_extents: InodeExtents, |b| b.edit_inode(FILE, |i| i.extents = 9.into());
    inode_depth: InodeExtents, |b| b.edit_inode(FILE, |i| i.depth = 5.into());
    inode_unused_area: InodeExtents, |b| b.edit_inode(FILE, |i| i.area[127] = 1);
    free_inode_not_empty: InodeNotEmpty, |b| b.edit_inode(FREE, |i| i.uid = 1.into());
    inode_marked_free: InodeMarkedFree, |b| b.flip(b.geometry.inode_map(), FILE.into());
    inode_marked_used: InodeMarkedUsed, |b| b.flip(b.geometry.inode_map(), FREE.into());
    slot_0_marked_free: InodeMarkedFree, |b| b.flip(b.geometry.inode_map(), 0);
    unreachable: InodeUnreachable, |b| b.edit_entry(DIR, FILE, |e| {
        (e.ino, e.name_len, e.kind) = (0.into(), 0, 0);
    });
    directories_that_contain_each_other: InodeUnreachable, |b| {
        // dir/subdir gets the entry of dir, and dir says that its parent is dir/subdir.
        b.edit_entry(DIR, SUBDIR, |e| e.ino = DIR.into());
        b.edit_entry(ROOT, DIR, |e| e.ino = SUBDIR.into());
        b.edit_inode(DIR, |i| i.parent = DIR.into());
    };
    link_count: LinkCount, |b| b.edit_inode(FILE, |i| i.nlink = 2.into());
    link_count_of_directory: LinkCount, |b| b.edit_inode(DIR, |i| i.nlink = 4.into());
    block_count: BlockCount, |b| b.edit_inode(FILE, |i| i.blocks = 6.into());
    orphan_bit: OrphanMismatch, |b| b.flip(b.geometry.orphan_map(), FILE.into());
    orphan_without_bit: OrphanMismatch, |b| b.edit_inode(FILE, |i| i.flags = 1.into());
    node_magic: NodeMagic, |b| b.edit(b.first_block(TREE), 0, |n: &mut RawNode| n.magic = 1.into());
    node_owner: NodeOwner, |b| b.edit(b.first_block(TREE), 0, |n: &mut RawNode| n.owner = 3.into());
    node_depth: NodeDepth, |b| b.edit(b.first_block(TREE), 0, |n: &mut RawNode| n.depth = 1.into());
    node_empty: NodeCount, |b| b.edit(b.first_block(TREE), 0, |n: &mut RawNode| n.count = 0.into());
    node_count: NodeCount, |b| b.edit(b.first_block(TREE), 0, |n: &mut RawNode| n.count = 256.into());
    extents_overlap: ExtentOrder, |b| b.edit(b.first_block(TREE), 16, |e: &mut RawExtent| e.len = 3.into());
    extents_unsorted: ExtentOrder, |b| b.edit(b.first_block(TREE), 32, |e: &mut RawExtent| e.first = 9.into());
    extent_empty: ExtentLength, |b| b.edit_extent(FILE, 0, |e| e.len = 0.into());
    extent_too_far: ExtentLength, |b| b.edit_extent(FILE, 0, |e| e.first = ((1 << 31) - 1).into());
    inner_node_with_length: ExtentLength, |b| b.edit_extent(TREE, 0, |e| e.len = 1.into());
    extent_in_the_log: ExtentRange, |b| b.edit_extent(FILE, 0, |e| e.block = 1.into());
    extent_over_the_backup: ExtentRange, |b| b.edit_extent(FILE, 0, |e| e.block = 1022.into());
    child_outside: ExtentRange, |b| b.edit_extent(TREE, 0, |e| e.block = u64::MAX.into());
    unwritten_directory: ExtentUnwritten, |b| b.edit_extent(DIR, 0, |e| {
        e.len = (e.len.get() | layout::UNWRITTEN).into();
    });
    directory_with_a_hole: ExtentHole, |b| b.edit_inode(DIR, |i| i.size = 8192.into());
    block_shared: BlockShared, |b| b.edit_extent(FILE, 0, |e| e.block = b.first_block(DIR).into());
    tree_in_a_circle: BlockShared, |b| {
        let node = b.first_block(TREE);
        b.edit_inode(TREE, |i| i.depth = 2.into());
        b.edit(node, 0, |n: &mut RawNode| (n.depth, n.count) = (1.into(), 1.into()));
        b.edit(node, 16, |e: &mut RawExtent| (e.len, e.block) = (0.into(), node.into()));
    };
    block_marked_free: BlockMarkedFree, |b| b.flip(b.geometry.block_map(), b.first_block(FILE));
    superblock_marked_free: BlockMarkedFree, |b| b.flip(b.geometry.block_map(), 0);
    block_marked_used: BlockMarkedUsed, |b| b.flip(b.geometry.block_map(), b.geometry.data().end - 1);
    block_map_tail: MapTail, |b| b.flip(b.geometry.block_map(), 1024);
    inode_map_tail: MapTail, |b| b.flip(b.geometry.inode_map(), 256);
    orphan_map_tail: MapTail, |b| b.flip(b.geometry.orphan_map(), 256);
    dir_magic: DirMagic, |b| b.edit(b.first_block(DIR), 0, |h: &mut RawDirHead| h.magic = 0.into());
    dir_owner: DirOwner, |b| b.edit(b.first_block(DIR), 0, |h: &mut RawDirHead| h.owner = 1.into());
    dir_reserved: DirReserved, |b| b.edit(b.first_block(DIR), 0, |h: &mut RawDirHead| h.reserved = 1.into());
    entry_too_long: DirEntryLength, |b| b.edit_entry(DIR, FILE, |e| e.rec_len = 4096.into());
    entry_too_short: DirEntryLength, |b| b.edit_entry(DIR, FILE, |e| e.rec_len = 8.into());
    entry_unaligned: DirEntryLength, |b| b.edit_entry(DIR, FILE, |e| e.rec_len = 20.into());
    entry_name_empty: DirEntryName, |b| b.edit_entry(DIR, FILE, |e| e.name_len = 0);
    entry_name_with_slash: DirEntryName, |b| {
        let (block, at) = b.entry(DIR, FILE);
        b.edit(block, at + 8, |byte: &mut u8| *byte = b'/');
    };
    entry_inode: DirEntryInode, |b| b.edit_entry(DIR, FILE, |e| e.ino = 256.into());
    entry_free_with_name: DirEntryInode, |b| b.edit_entry(DIR, FILE, |e| e.ino = 0.into());
    entry_kind: DirEntryKind, |b| b.edit_entry(DIR, FILE, |e| e.kind = 3);
    entry_kind_too_large: DirEntryKind, |b| b.edit_entry(DIR, FILE, |e| e.kind = 24);
    entry_kind_differs: DirEntryKindDiffers, |b| b.edit_entry(DIR, FILE, |e| e.kind = 10);
    entry_twice: DirEntryTwice, |b| {
        // "short" becomes a second "dir": same length of the name is not needed, 8 bytes follow.
        b.edit_entry(ROOT, SHORT_LINK, |e| e.name_len = 3);
        let (block, at) = b.entry(ROOT, SHORT_LINK);
        b.edit(block, at + 8, |name: &mut [u8; 3]| *name = *b"dir");
    };
    index_of_a_file: IndexRange, |b| b.edit_inode(FILE, |i| i.index = 1000.into());
    index_in_the_log: IndexRange, |b| b.edit_inode(BIG, |i| i.index = 1.into());
    index_root_outside: IndexRange, |b| b.edit(b.top(), 16, |root: &mut U64| *root = u64::MAX.into());
    index_child_outside: IndexRange, |b| b.edit(b.index_root(), 24, |child: &mut U64| *child = 0.into());
    gap_table_outside: IndexRange, |b| b.edit(b.top(), 32, |t: &mut RawTable| t.block = 1023.into());
    index_top_magic: IndexMagic, |b| b.edit(b.top(), 0, |n: &mut RawNode| n.magic = layout::INDEX_MAGIC);
    index_node_magic: IndexMagic, |b| b.edit(b.index_leaf(), 0, |n: &mut RawNode| n.magic = layout::NODE_MAGIC);
    gap_table_magic: IndexMagic, |b| b.edit(b.gap_table(), 0, |n: &mut RawNode| n.magic = 0.into());
    index_top_owner: IndexOwner, |b| b.edit(b.top(), 0, |n: &mut RawNode| n.owner = DIR.into());
    index_node_owner: IndexOwner, |b| b.edit(b.index_root(), 0, |n: &mut RawNode| n.owner = DIR.into());
    gap_table_owner: IndexOwner, |b| b.edit(b.gap_table(), 0, |n: &mut RawNode| n.owner = DIR.into());
    index_of_another: IndexOwner, |b| b.edit_inode(DIR, |i| i.index = b.top().into());
    index_top_reserved: IndexReserved, |b| b.edit(b.top(), 0, |t: &mut RawTop| t.reserved[7] = 1);
    gap_table_reserved: IndexReserved, |b| b.edit(b.top(), 32, |t: &mut RawTable| t.reserved[5] = 1);
    index_too_deep: IndexDepth, |b| b.edit(b.top(), 0, |n: &mut RawNode| n.depth = 4.into());
    index_node_depth: IndexDepth, |b| b.edit(b.index_leaf(), 0, |n: &mut RawNode| n.depth = 1.into());
    gap_table_depth: IndexDepth, |b| b.edit(b.gap_table(), 0, |n: &mut RawNode| n.depth = 1.into());
    index_tables: IndexCount, |b| b.edit(b.top(), 0, |n: &mut RawNode| n.count = 255.into());
    index_leaf_empty: IndexCount, |b| b.edit(b.index_leaf(), 0, |n: &mut RawNode| n.count = 0.into());
    index_leaf_count: IndexCount, |b| b.edit(b.index_leaf(), 0, |n: &mut RawNode| n.count = 511.into());
    index_node_count: IndexCount, |b| b.edit(b.index_root(), 0, |n: &mut RawNode| n.count = 256.into());
    gap_table_count: IndexCount, |b| b.edit(b.gap_table(), 0, |n: &mut RawNode| n.count = 2041.into());
    gap_table_empty: IndexCount, |b| b.edit(b.gap_table(), 0, |n: &mut RawNode| n.count = 0.into());
    index_pairs_unsorted: IndexOrder, |b| b.edit(b.index_leaf(), 16, |p: &mut [RawPair; 2]| p.swap(0, 1));
    index_pair_in_the_wrong_leaf: IndexOrder, |b| {
        let last = 16 + 8 * (b.get::<RawNode>(b.index_leaf(), 0).count.get() - 1);
        b.edit(b.index_leaf(), last, |p: &mut RawPair| p.hash = u32::MAX.into());
    };
    index_bounds_unsorted: IndexOrder, |b| b.edit(b.index_root(), 32, |c: &mut RawChild| c.first.hash = 0.into());
    entry_not_in_the_index: IndexMissing, |b| b.edit(b.index_leaf(), 12, |n: &mut U16| {
        *n -= 1;
    });
    entry_renamed_behind_the_index: IndexMissing, |b| {
        let block = b.first_block(BIG);
        b.edit(block, 24, |name: &mut u8| *name = b'x');
    };
    index_pair_without_entry: IndexStale, |b| b.edit(b.index_leaf(), 16, |p: &mut RawPair| {
        p.at = (p.at.get() + 1).into();
    });
    index_pair_behind_the_end: IndexStale, |b| b.edit(b.index_leaf(), 16, |p: &mut RawPair| {
        p.at = u32::MAX.into();
    });
    directory_without_index: IndexAbsent, |b| b.edit_inode(BIG, |i| i.index = 0.into());
    index_without_the_feature: IndexAbsent, |b| b.edit_super(|s| {
        s.incompat = (s.incompat.get() & !layout::INCOMPAT_DIR_INDEX).into();
        s.checksum = of_super(s).into();
    });
    index_in_a_circle: BlockShared, |b| {
        let root = b.index_root();
        b.edit(root, 16, |c: &mut RawChild| c.block = root.into());
    };
    gap_too_large: GapWrong, |b| b.edit(b.gap_table(), 16, |gap: &mut U16| *gap = 1000.into());
    gap_missing: GapWrong, |b| b.edit(b.gap_table(), 12, |count: &mut U16| *count -= 1);
    largest_gap: GapWrong, |b| b.edit(b.top(), 32, |t: &mut RawTable| t.largest = 8.into());
    dir_parent: DirParent, |b| b.edit_inode(SUBDIR, |i| i.parent = ROOT.into());
    directory_with_two_names: DirParent, |b| b.edit_entry(ROOT, DEVICE, |e| {
        (e.ino, e.kind) = (DIR.into(), 4);
    });
    link_magic: LinkHead, |b| b.edit(b.first_block(LONG_LINK), 0, |h: &mut RawHead| h.magic = 1.into());
    link_owner: LinkHead, |b| b.edit(b.first_block(LONG_LINK), 0, |h: &mut RawHead| h.owner = 9.into());
    link_target: LinkTarget, |b| b.edit_inode(SHORT_LINK, |i| i.area[2] = 0);
    xattr_in_the_log: XattrRange, |b| b.edit_inode(FILE, |i| i.xattr = 2.into());
    xattr_behind_the_end: XattrRange, |b| b.edit_inode(FILE, |i| i.xattr = u64::MAX.into());
    xattr_shared: BlockShared, |b| b.edit_inode(FILE, |i| i.xattr = b.first_block(DIR).into());
    xattr_not_counted: BlockCount, |b| {
        b.add_xattrs();
        b.edit_inode(FILE, |i| i.blocks = (i.blocks.get() - 1).into());
    };
    xattr_marked_free: BlockMarkedFree, |b| { let at = b.add_xattrs(); b.flip(b.geometry.block_map(), at) };
    xattr_magic: XattrMagic, |b| b.edit(b.add_xattrs(), 0, |h: &mut RawXattrHead| h.magic = 1.into());
    xattr_owner: XattrOwner, |b| b.edit(b.add_xattrs(), 0, |h: &mut RawXattrHead| h.owner = 1.into());
    xattr_reserved: XattrReserved, |b| b.edit(b.add_xattrs(), 0, |h: &mut RawXattrHead| h.reserved = 1.into());
    xattr_entry_reserved: XattrReserved, |b| b.edit(b.add_xattrs(), 16, |a: &mut RawXattr| a.reserved = 1);
    xattr_unused: XattrReserved, |b| b.edit(b.add_xattrs(), 4095, |byte: &mut u8| *byte = 1);
    xattr_too_much_used: XattrLength, |b| b.edit(b.add_xattrs(), 0, |h: &mut RawXattrHead| h.used = 4097.into());
    xattr_none: XattrLength, |b| b.edit(b.add_xattrs(), 0, |h: &mut RawXattrHead| h.used = 16.into());
    xattr_value_too_long: XattrLength, |b| b.edit(b.add_xattrs(), 28, |a: &mut RawXattr| a.value_len = 3.into());
    xattr_name: XattrName, |b| b.edit(b.add_xattrs(), 20, |byte: &mut u8| *byte = 0);
    xattr_order: XattrOrder, |b| b.edit(b.add_xattrs(), 25, |byte: &mut u8| *byte = b'z');
    xattr_twice: XattrOrder, |b| b.edit(b.add_xattrs(), 25, |byte: &mut u8| *byte = b'b');
    long_link_target: LinkTarget, |b| b.edit(b.first_block(LONG_LINK), 1000, |byte: &mut u8| *byte = 0);
}

/// One test per line: the damage of the superblock, and the error of mount and check.
macro_rules! refusals {
    ($($name:ident: $kind:ident = $error:ident, |$sup:ident| $damage:expr;)*) => {
        $(#[test]
        fn $name() {
            let bench = Bench::new();
            bench.edit_super(|$sup| $damage);
            if CorruptKind::$kind != CorruptKind::SuperChecksum {
                bench.edit_super(|s| s.checksum = of_super(s).into());
            }
            bench.expect_refused(Errno::$error);
            let raw: RawSuper = bench.get(0, 0);
            let kind = Super::try_from(&raw).err();
            assert!(kind.is_none_or(|kind| kind == CorruptKind::$kind), "{kind:?}");
        })*

        /// Kinds with a test above.
        const REFUSED: &[CorruptKind] = &[$(CorruptKind::$kind),*];
    };
}

refusals! {
    not_xv6: SuperMagic = EINVAL, |s| s.magic = [0; 8];
    other_version: SuperVersion = EOPNOTSUPP, |s| s.version = 2.into();
    block_size: SuperBlockSize = EUCLEAN, |s| s.block_size = 1024.into();
    super_sum: SuperChecksum = EUCLEAN, |s| s.label[3] ^= 4;
    geometry: SuperGeometry = EUCLEAN, |s| s.block_map = 5.into();
    too_many_inodes: SuperGeometry = EUCLEAN, |s| s.inodes = (1 << 40).into();
    super_reserved: SuperReserved = EUCLEAN, |s| s.reserved[79] = 1;
    feature_of_the_future: SuperReserved = EOPNOTSUPP, |s| s.incompat = (1 << 31).into();
}

#[test]
fn truncated_image() {
    let bench = Bench::new();
    bench.tested.set(true);
    let mut medium = bento_sim::Image::new(1000);
    for block in 0..1000 {
        let bytes = bench.disk.image().block(block).expect("inside").to_vec();
        medium.write(block, 0, &bytes).expect("inside");
    }
    let disk = MemDisk::from_image(medium, bento_sim::Caching::Short);
    assert_eq!(check(&disk).expect_err("refused"), Errno::EUCLEAN);
    assert_eq!(Host::mount(disk).err(), Some(Errno::EUCLEAN));
}

#[test]
fn a_read_only_mount_accepts_features_that_only_matter_for_writing() {
    let bench = Bench::new();
    bench.tested.set(true);
    bench.edit_super(|s| s.ro_compat = 4.into());
    bench.edit_super(|s| s.checksum = of_super(s).into());
    assert_eq!(Host::mount(bench.disk.clone()).err(), Some(Errno::EROFS));
    let options = bento::MountOptions {
        read_only: true,
        ..PLAIN
    };
    let host = Host::mount_with(bench.disk.clone(), &options).expect("may be read");
    assert_eq!(host.read("dir/file"), Ok(pattern(20_000, 1)));
}

#[test]
fn a_check_tells_how_much_is_done() {
    let bench = Bench::new();
    bench.tested.set(true);
    let mut told = Vec::new();
    let report = check_watched(&bench.disk, &mut |done| told.push(done)).expect("a superblock");
    assert!(report.is_clean());
    assert!(
        told.is_sorted_by(|a, b| a < b) && told.len() > 5,
        "{told:?}"
    );
    assert!(told.iter().all(|done| *done < 100), "{told:?}");
}

/// Whether `fsck.xv6 -p` repairs it.
fn is_harmless(damage: impl FnOnce(&Bench)) -> bool {
    let bench = Bench::new();
    damage(&bench);
    bench.tested.set(true);
    let report = check(&bench.disk).expect("there is a superblock");
    assert!(!report.is_clean());
    report.findings.iter().all(Finding::is_harmless)
}

#[test]
fn an_index_is_repaired_at_boot_but_not_the_entries_that_it_follows_from() {
    assert!(is_harmless(|b| b.flip_byte(b.index_leaf(), 4095)));
    assert!(is_harmless(|b| b.flip_byte(b.gap_table(), 20)));
    assert!(is_harmless(|b| b.damage(b.top(), 0, &[0; 4096])));
    assert!(is_harmless(|b| b.damage(b.index_leaf(), 0, &[0; 4096])));
    assert!(is_harmless(|b| b.edit_inode(BIG, |i| i.index = 0.into())));
    assert!(!is_harmless(|b| b.flip_byte(b.first_block(BIG), 4095)));
    assert!(!is_harmless(|b| b.edit_inode(BIG, |i| i.size = 4096.into())));
}

#[test]
fn every_kind_has_its_test() {
    let all = CorruptKind::ALL;
    let missing: Vec<_> = all
        .iter()
        .filter(|kind| !FOUND.contains(kind) && !REFUSED.contains(kind))
        .collect();
    // That one has a test of its own above.
    assert_eq!(missing, [&CorruptKind::SuperTruncated]);
}
