// Package safefs is the door through which tracking files, checkpoints and
// journals reach the disk.
//
// There is one small interface, [FS], so that a test can put a file system
// behind it that fails or loses power at any call (package crashfs). [OS] is
// the real one, [OpenRoot] the real one below a directory that no name can
// leave.
//
// The rules of this house for a file that others may see:
//
//   - it is written under a name that begins with a dot, which every reader of
//     a directory passes over;
//   - it is synced, then renamed, then its directory is synced ([Publish]); a
//     name is therefore either absent or complete, also after a power failure;
//   - a failed sync is never tried again on the same file: the kernel reports
//     the loss once and then takes the pages for clean.
package safefs
