package alerts

import (
	"strings"
	"time"
	"unicode"

	"github.com/rosterd/rosterd/internal/roster"
)

// tellTest is what a message says that somebody asked for to try a channel.
const tellTest roster.AlertWhat = "test"

const (
	mostSubject = 150
	mostError   = 500
)

// Message is what a channel tells.
type Message struct {
	ID           string // of the delivery: a receiver that gets it twice knows it by this
	Alert        string // id
	What         roster.AlertWhat
	Organisation string
	Kind         roster.AlertKind
	SubjectType  string
	Subject      string
	Severity     roster.Severity
	Title        string
	Text         string
	Details      map[string]any
	OpenedAt     time.Time
	ResolvedAt   time.Time // zero while the alert is open
}

// subject is the message in one line.
func (m *Message) subject() string {
	before := ""
	switch m.What {
	case roster.TellResolved:
		before = "resolved: "
	case roster.TellReminder:
		before = "still open: "
	}
	where := ""
	if m.Organisation != "" {
		where = m.Organisation + ": "
	}
	return clean("[rosterd] "+where+before+m.Title, mostSubject)
}

// body is the message as plain text, in short lines and paragraphs that a telephone can wrap.
func (m *Message) body() string {
	var b strings.Builder
	if m.What == roster.TellResolved {
		b.WriteString("This is resolved since " + inUTC(m.ResolvedAt) + ". Nothing is left to do.\n\nIt was:\n\n")
	}
	if m.What == roster.TellReminder {
		b.WriteString("This is still open.\n\n")
	}
	b.WriteString(printable(m.Text) + "\n\n")
	line := func(label, text string) {
		if text != "" {
			b.WriteString(label + ": " + clean(text, mostError) + "\n")
		}
	}
	line("Organisation", m.Organisation)
	line(strings.ToUpper(m.SubjectType[:1])+m.SubjectType[1:], m.Subject)
	line("Since", inUTC(m.OpenedAt))
	line("Kind", string(m.Kind)+" ("+string(m.Severity)+")")
	line("Alert", m.Alert)
	b.WriteString("\nAll open alerts: rosterd alerts list\n")
	return b.String()
}

func inUTC(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// clean makes one line of a text, without anything that could end a header, of so many letters at most.
func clean(text string, most int) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(printable(text), "\n", " ")), " ")
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most-1]) + "…"
	}
	return text
}

// printable takes out whatever is neither a letter nor the end of a line: names come from elsewhere.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
