package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// whoAmI names the user and groups that a permission is checked against.
func whoAmI() string {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(name); err == nil {
		name = fmt.Sprintf("%s (%s)", u.Username, u.Uid)
	}
	ids, err := os.Getgroups()
	if err != nil || len(ids) == 0 {
		return name
	}
	groups := make([]string, len(ids))
	for i, id := range ids {
		groups[i] = strconv.Itoa(id)
		if g, err := user.LookupGroupId(groups[i]); err == nil {
			groups[i] = g.Name
		}
	}
	return name + " in " + strings.Join(groups, ", ")
}
