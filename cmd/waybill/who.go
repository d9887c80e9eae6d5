package main

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// whoAmI names the user and groups that a permission is checked against.
func whoAmI() string {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(name); err == nil {
		name = fmt.Sprintf("%s (%s)", u.Username, u.Uid)
	}
	// The system need not list the primary group among the supplementary ones.
	ids := []int{os.Getegid()}
	if more, err := os.Getgroups(); err == nil {
		ids = append(ids, more...)
	}
	var groups []string
	for _, id := range ids {
		group := strconv.Itoa(id)
		if g, err := user.LookupGroupId(group); err == nil {
			group = g.Name
		}
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return name + " in " + strings.Join(groups, ", ")
}
