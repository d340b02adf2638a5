package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) connectionPreview() *cobra.Command {
	var org string
	var ask client.AskPreview
	cmd := p.command("preview NAME", "Show what a connection makes of one person, writing nothing", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		found, err := c.PreviewConnection(ctx, org, args[0], ask)
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(found)
		}
		return p.print(previewView(&found))
	})
	cmd.Long = `Reads one person from the identity provider, and shows what it says of them, each
attribute with where the mapping takes it from and what that gives, whether they are
in scope and why, who they are or would become here, and what a resync would do.
Nothing is written.`
	orgFlag(cmd, &org)
	require(cmd, &ask.User, "user", "the person: id, userName, email, externalId or the identity provider's id")
	return cmd
}

func previewView(v *client.Preview) string {
	var b strings.Builder
	line := func(label, text string) { fill(&b, "  "+padded(label, 11), oneLine(text)) }
	fill(&b, "", v.Connection+": "+oneLine(v.Key))
	if v.ObjectID != "" {
		line("id there", v.ObjectID)
	}
	line("there", v.There)
	if v.MemberID != nil {
		line("id here", *v.MemberID)
	}
	line("here", v.Here)
	line("link", linkText(v))
	if len(v.Read) > 0 {
		b.WriteString("\nThe identity provider's attributes\n")
		for _, name := range slices.Sorted(maps.Keys(v.Read)) {
			valueLine(&b, "  "+oneLine(name)+": ", shown(v.Read[name]))
		}
	}
	if len(v.Attributes) > 0 {
		b.WriteString("\nThe mapping\n")
		for i := range v.Attributes {
			previewAttribute(&b, &v.Attributes[i])
		}
	}
	b.WriteByte('\n')
	did := "nothing"
	if len(v.Would) > 0 {
		did = strings.Join(v.Would, ", ")
	}
	fill(&b, "A resync would: ", oneLine(did))
	for _, why := range v.Left {
		fill(&b, "Left as it is: ", oneLine(why))
	}
	for _, why := range v.Unjudged {
		fill(&b, "Memberships were not compared: ", oneLine(why))
	}
	b.WriteString("Nothing was written.\n")
	return b.String()
}

func previewAttribute(b *strings.Builder, a *client.PreviewAttribute) {
	line := func(label, text string) { valueLine(b, "    "+padded(label, 6), text) }
	valueLine(b, "  ", oneLine(a.Target))
	line("from", strings.ReplaceAll(printable(a.Source), "\n", " "))
	switch a.State {
	case "problem":
		line("gives", "nothing: "+oneLine(a.Problem))
	case "empty":
		text := "nothing"
		if a.Stored != "" {
			text += ", and it stays as it is: " + shown(a.Stored)
		}
		line("gives", text)
	case "clears":
		line("gives", "nothing, and a run clears what is stored: "+shown(a.Stored))
	case "differs":
		line("gives", shown(a.Value))
		line("here", shown(a.Stored)+" (differs)")
	default:
		line("gives", shown(a.Value))
		if a.State == "same" {
			line("here", "the same")
		}
	}
}

// linkText says whom a person is, or would become, here.
func linkText(v *client.Preview) string {
	by := ""
	if v.Rule != "" {
		by = " by " + v.Rule
	}
	switch v.Link {
	case "linked":
		if by == "" {
			by = " when a run created the member"
		}
		return "made" + by
	case "would_link":
		return "none yet: a run links them" + by
	case "would_move":
		return "a run moves it to this member," + by
	case "would_adopt":
		return "none yet: a run adopts this local member and links them" + by
	case "would_create":
		return "none: a run creates a member"
	case "conflict":
		return "none, and a run makes none: a conflict, below"
	}
	return "none, and a run makes none"
}

// valueLine is fill for a value, which keeps its white space where it fits the line.
func valueLine(b *strings.Builder, label, value string) {
	if utf8.RuneCountInString(label+value) <= textWidth {
		b.WriteString(label + value + "\n")
		return
	}
	fill(b, label, value)
}

// shown is a value as a person can tell it: in quotes where white space at its ends or in a row would be lost.
func shown(value string) string {
	switch {
	case value == "":
		return "(none)"
	case value != strings.Join(strings.Fields(value), " "):
		return strconv.Quote(printable(value))
	}
	return printable(value)
}
