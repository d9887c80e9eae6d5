package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"waybill/internal/search"
)

// negation marks an argument that is a query term and no flag. An argument
// never holds a NUL, so it cannot be mistaken.
const negation = "\x00"

// keepNegations lets `waybill search sender:ann -status:delivered` mean what it
// says: behind a command that takes a query, a dash in front of a field's name
// and a colon is the query's "not", which no flag looks like.
func keepNegations(args []string) []string {
	at := slices.IndexFunc(args, takesQuery)
	if at < 0 {
		return args
	}
	out := slices.Clone(args)
	for i := at + 1; i < len(out) && out[i] != "--"; i++ {
		name, _, ok := strings.Cut(out[i], ":")
		if ok && strings.HasPrefix(name, "-") && slices.Contains(search.FieldNames(), name[1:]) {
			out[i] = negation + out[i]
		}
	}
	return out
}

// takesQuery reports whether a command's arguments are a query.
func takesQuery(command string) bool {
	return command == "search" || command == "summary" || command == "tail"
}

func queryText(words []string) string {
	return strings.ReplaceAll(strings.Join(words, " "), negation, "")
}

// flagWords turns pflag's complaint into one that says how to go on.
func flagWords(cmd *cobra.Command, err error) string {
	text := strings.ReplaceAll(err.Error(), negation, "")
	if takesQuery(cmd.Name()) && strings.Contains(text, "shorthand") {
		text += "; write -- in front of query words that begin with a dash"
	}
	return text
}

// quoted is an argument as a shell reads it.
func quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,=", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// noArgs refuses arguments, but says which.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd.CommandPath()+" --help", "%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneArg wants exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(cmd.CommandPath()+" --help", "%s wants %s, got %s", cmd.CommandPath(), what, fmt.Sprintf("%d arguments", len(args)))
		}
		return nil
	}
}
