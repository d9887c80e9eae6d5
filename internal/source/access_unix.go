//go:build unix

package source

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// explainDenied says why we may not read path: whose it is, who we are, and
// which command changes that.
func explainDenied(path string) (why, hint string) {
	path, info, dir := blocker(path)
	self, name := identity()
	st, ok := statOf(info)
	if !ok {
		return "you are " + self, "run: sudo waybill ..."
	}
	group := groupName(st.Gid)
	what := "it is"
	if dir {
		what = "the directory " + path + " is"
	}
	why = fmt.Sprintf("%s %s:%s %04o, you are %s", what, userName(st.Uid), group, info.Mode().Perm(), self)
	need := fs.FileMode(0o040)
	if dir {
		need = 0o050
	}
	if info.Mode().Perm()&need == need && group != "root" && name != "" {
		return why, fmt.Sprintf("run: sudo usermod -aG %s %s, log in again; or once: sudo waybill ...", group, name)
	}
	perm := "r"
	if dir {
		perm = "rx"
	}
	if name == "" {
		name = strconv.Itoa(os.Geteuid())
	}
	return why, fmt.Sprintf("run: sudo setfacl -m u:%s:%s %s; or once: sudo waybill ...", name, perm, quote(path))
}

// blocker returns what stands in the way: the file, or the first directory
// above it that we may not enter.
func blocker(path string) (string, fs.FileInfo, bool) {
	if info, err := os.Stat(path); err == nil {
		return path, info, info.IsDir()
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return path, nil, false
	}
	at := "/"
	for _, part := range strings.Split(filepath.Dir(full), "/") {
		next := filepath.Join(at, part)
		if _, err := os.Stat(next); err != nil {
			break
		}
		at = next
	}
	info, err := os.Stat(at)
	if err != nil {
		return path, nil, false
	}
	return at, info, true
}

// identity is who we are, for people, and the login name.
func identity() (text, name string) {
	uid := os.Geteuid()
	text = "uid " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
		text = fmt.Sprintf("%s (uid %d)", name, uid)
	}
	// The system need not list the primary group among the supplementary ones.
	gids := []int{os.Getegid()}
	if more, err := os.Getgroups(); err == nil {
		gids = append(gids, more...)
	}
	var names []string
	for _, g := range gids {
		if n := groupName(uint32(g)); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return text + ", groups " + strings.Join(names, ", "), name
}

func statOf(info fs.FileInfo) (*syscall.Stat_t, bool) {
	if info == nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// inodeOf is what names a file on this machine while it exists.
func inodeOf(info fs.FileInfo) (device, inode uint64) {
	st, ok := statOf(info)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), st.Ino
}
