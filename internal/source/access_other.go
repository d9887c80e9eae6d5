//go:build !unix

package source

import "io/fs"

// explainDenied has no owners and groups to tell of here.
func explainDenied(string) (why, hint string) { return "", "" }

// inodeOf tells nothing here: contents are told apart by their bytes.
func inodeOf(fs.FileInfo) (device, inode uint64) { return 0, 0 }
