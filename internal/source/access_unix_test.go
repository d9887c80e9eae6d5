//go:build unix

package source

import (
	"os"
	"strings"
	"testing"
)

// The primary group need not be among those that Getgroups returns.
func TestIdentityNamesThePrimaryGroup(t *testing.T) {
	text, _ := identity()
	_, groups, _ := strings.Cut(text, ", groups ")
	if own := groupName(uint32(os.Getegid())); !strings.Contains(", "+groups+",", ", "+own+",") {
		t.Errorf("%q does not name the group %q", text, own)
	}
}
