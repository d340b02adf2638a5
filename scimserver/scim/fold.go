package scim

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the key by which texts compare that are not caseExact: without white space at the ends, NFC, case-folded.
// A store that keeps such keys must make them in the same way.
func Fold(s string) string { return FoldPart(strings.TrimSpace(s)) }

// FoldPart is Fold for a part of a text, in which white space at the ends counts.
func FoldPart(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Fold().String(norm.NFC.String(s))
}

// sameFolded reports whether Fold makes the same of both. A filter may be held against each of 100,000 members.
func sameFolded(a, b string) bool {
	if ascii(a) && ascii(b) {
		return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
	}
	return Fold(a) == Fold(b)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
