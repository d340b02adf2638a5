package main

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
)

// textWidth is how wide text that is filled may become.
const textWidth = 80

// personBlock writes what a run of one person saw and did.
func personBlock(b *strings.Builder, r *client.Person) {
	if r == nil {
		return
	}
	b.WriteByte('\n')
	for _, line := range []struct{ name, text string }{
		{"Asked for", r.Key}, {"Id here", deref(r.MemberID)}, {"Id there", r.ObjectID}, {"There", r.There}, {"Here", r.Here},
	} {
		if line.text != "" {
			fill(b, "  "+padded(line.name, 11), oneLine(line.text))
		}
	}
	if r.MemberID != nil && len(r.Stored) > 0 { // else there is nothing to compare with
		for _, path := range slices.Sorted(maps.Keys(r.Wanted)) {
			if there, here := r.Wanted[path], r.Stored[path]; there != "" && there != here {
				fill(b, "  "+padded("Differs", 11), oneLine(path+": "+there+" there, "+orDash(here)+" here"))
			}
		}
	}
	fill(b, "  "+padded("Done", 11), oneLine(r.Done))
}

// fill writes text after a label, in lines of textWidth below each other.
func fill(b *strings.Builder, label, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(label))
	line := label
	begun := false
	for _, word := range strings.Fields(text) {
		if begun && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textWidth {
			b.WriteString(line + "\n")
			line, begun = indent, false
		}
		if begun {
			line += " "
		}
		line += word
		begun = true
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
