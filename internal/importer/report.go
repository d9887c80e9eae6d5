package importer

import (
	"waybill/internal/maillog"
	"waybill/internal/track"
)

// Report says what an import did, file by file, in the order in which they
// were read.
type Report struct {
	Files   []FileReport
	New     int // messages and rejections that were not in the store before
	Updated int // messages that got more events
}

// Failed reports whether something could not be read.
func (r *Report) Failed() bool {
	for i := range r.Files {
		if r.Files[i].Err != nil {
			return true
		}
	}
	return false
}

// FileReport says what became of one file.
type FileReport struct {
	Path        string
	Compression string // "", gzip, bzip2, xz, zstd
	Bytes       int64  // uncompressed, read
	Lines       int64  // read
	Duplicate   int64  // lines that earlier imports had taken
	Known       string // name of the piece they were in, when there was one
	// Void says that nothing of those lines was understood when they were taken:
	// Importer.Again reads them anew.
	Void        bool
	Waiting     int64 // bytes of an unfinished last line, left for the next import
	Cut         int64 // lines that were too long and were cut
	First, Last track.Stamp
	Stats       maillog.Stats // what the new lines were
	Err         error         // why it could not be read, or not to its end
}

// Progress is told now and then while a file is read.
type Progress struct {
	Path        string
	File, Files int   // this is file File (from 1) of Files
	Read, Size  int64 // bytes of the file as stored on disk; Size 0 is unknown
	Lines       int64 // of all files so far
}
