// Package file is log files, across rotation, as a source of lines.
//
// # What it promises
//
// Every line that a daemon writes to a followed file is handed on once, whole, in the order of the
// file: across rename-and-create rotation with writers that are late to notice, across compression,
// across copytruncate as far as that is possible, and across restarts of this program, however many
// rotations were missed.
//
// A position names the files that are still being read by device, inode, a hash of their first
// [headSize] bytes, and an offset. It names more than one while a rotated file may still be written to:
// the old file is drained beside the new one and does not delay it, through a descriptor of its own until it has
// been quiet for a minute, then by a look at its name each second. After a restart the files are found
// again under whatever name logrotate gave them, compressed or not, and those that are newer than any of
// them are read from their start, oldest first.
//
// A log of a pattern that comes and is rotated away between two looks at its folder, or while this program is
// down, is known by the rotated files that it left: those that were made and written to since the last look.
//
// A file that an editor, sed -i or whoever trims a log puts in another's place is read from behind the last of
// its lines that is, byte for byte, among the last 2 MiB that were read of the other. If the other is kept under a
// name that no rotation gives (log~, log.bak), three different lines have to be.
//
// # How
//
// Content is read only by this package, with pread in blocks of 256 KiB through its own open file; an
// open file stays the same file whatever happens to its name. Offsets are always at the start of a
// line: a half line is read again when there is more of it, never kept. A look at a follower's files
// is one call, follower.step, which learns the time and starts nothing.
//
// Of the files of one log the next is opened when those before it have been read to their ends, so that a
// position has at most [maxMarks] files however many rotations were missed. Rotated files of the past are
// read oldest first over all logs, those of a few logs at a time, and take about 350 KiB each while they
// are unpacked, those of xz and zstd some MiB; logs without such a backlog are read meanwhile. Stats says what is left.
//
// github.com/nxadm/tail provides the wake-up: its watch package keeps the inotify watches, and an
// event only means "look now". The rest of that library is not used, since its reader closes a renamed
// file without reading what is left, trusts sizes to notice truncation, and keeps a whole line in
// memory whatever its length. Of its watch package only Watch, WatchCreate, Events and RemoveWatch are
// used: the file watchers above them end the process when a stat fails (watch/inotify.go:121), and
// an event lost by it costs at most one safety poll (Options.Poll) here. Where the kernel has no
// inotify instance left, files are polled ten times a second instead, with a line in the log.
//
// # What it refuses
//
// A line longer than [source.MaxLine] is left out and counted: cutting it would let whoever wrote it choose
// where the line ends, and with it what stands where an address is expected. Lines after it are not
// delayed, and memory stays at that. NUL bytes at the start of a line are dropped, as a power cut
// or a writer without O_APPEND after a truncation leaves them there; so a file whose end was allocated
// in advance and filled with NULs later cannot be followed. Names that are no regular file are refused.
//
// # Where nothing can be done
//
//   - copytruncate: lines written between the end of the copy and the truncation are gone, unless they
//     were read before. Everything else is taken from the copy.
//   - A truncation is recognised by a smaller size or another head. A file that is truncated and refilled
//     past the old offset with exactly the same first bytes, between two looks, is taken for unchanged.
//     Lines that begin with a time do not do that.
//   - A log that is written anew in place (an editor that keeps the inode), or while this program is down replaced
//     by a copy without its first lines, is read from its start.
//   - A file that was rotated into another folder (olddir) is drained while this program runs, but is
//     not found again after a restart. Nor is one that was compressed by something else than gzip,
//     bzip2, xz or zstd, or one of which not a single line had been read before it was compressed.
//   - A rotated file is drained until it has not grown for an hour (a deleted one: a minute). Its last
//     line, when it has no newline, is handed on once it has not grown for five seconds; if its writer
//     still goes on after that, the rest of the line comes as a line of its own.
//   - Files that were deleted before they were read are gone, and a link that moved twice while this
//     program was down is not known to have pointed to the file in between.
package file
