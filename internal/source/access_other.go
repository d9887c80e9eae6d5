//go:build !unix

package source

// explainDenied has no owners and groups to tell of here.
func explainDenied(string) (why, hint string) { return "", "" }
