package safetext

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxDomain bounds what is decoded: punycode takes quadratic time.
const maxDomain = 255

// DecodeAddress returns an address, or a bare domain, with an internationalised
// domain in its Unicode form. A domain that is not valid stays as it is.
func DecodeAddress(addr string) string {
	at := strings.LastIndexByte(addr, '@') + 1
	domain := addr[at:]
	if len(domain) > maxDomain || !hasACE(domain) {
		return addr
	}
	u, err := idna.Display.ToUnicode(domain)
	if err != nil {
		return addr
	}
	return addr[:at] + u
}

// hasACE reports whether a label of the domain begins with "xn--".
func hasACE(domain string) bool {
	for i := 0; i+4 <= len(domain); i++ {
		if (i == 0 || domain[i-1] == '.') && strings.EqualFold(domain[i:i+4], "xn--") {
			return true
		}
	}
	return false
}

// FoldText brings text into the form in which it is compared without case:
// valid UTF-8, NFC, lower case. Folding twice changes nothing.
func FoldText(s string) string {
	upper := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return foldUnicode(s)
		}
		upper = upper || c >= 'A' && c <= 'Z'
	}
	if upper {
		return strings.ToLower(s)
	}
	return s
}

// foldUnicode normalises before and after: lower case of a composed letter is
// composed, but the order of marks may differ.
func foldUnicode(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	return norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
}

// FoldAddress is FoldText for addresses and domains: both forms of an
// internationalised domain fold to one.
func FoldAddress(addr string) string { return FoldText(DecodeAddress(addr)) }
