package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"

	"github.com/rosterd/rosterd/internal/api/client"
)

// printJSON writes one document, in one piece.
func (p *program) printJSON(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return p.print(text.String())
}

func (p *program) print(text string) error {
	if _, err := io.WriteString(p.stdout, text); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// answer prints value as JSON, or text for a person.
func (p *program) answer(value any, format string, args ...any) error {
	if p.json {
		return p.printJSON(value)
	}
	return p.print(printable(fmt.Sprintf(format, args...)) + "\n")
}

// table says how a list is printed: as JSON by view, for a person in columns.
type table[T any] struct {
	empty  string
	header []string
	row    func(T) []string
	view   func(T) any
}

// printList reads the whole list before it prints anything, so that what it prints is complete.
func printList[T any](p *program, list iter.Seq2[T, error], t table[T]) error {
	items, err := client.Collect(list)
	if err != nil {
		return err
	}
	if p.json {
		views := make([]any, len(items))
		for i := range items {
			views[i] = t.view(items[i])
		}
		return p.printJSON(views)
	}
	if len(items) == 0 {
		p.note("%s", t.empty)
		return nil
	}
	rows := make([][]string, len(items))
	for i := range items {
		rows[i] = t.row(items[i])
	}
	return p.printTable(t.header, rows)
}

func (p *program) printTable(header []string, rows [][]string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(strings.ReplaceAll(cell, "\n", " "))
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("lay out the table: %w", err)
	}
	var trimmed strings.Builder
	for line := range strings.Lines(text.String()) {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return p.print(trimmed.String())
}

// printable takes out of a text whatever could steer the terminal: names come from elsewhere.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '\ufffd'
		}
		return r
	}, text)
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// coloured reports whether standard output takes colour.
func (p *program) coloured() bool {
	if off, _ := p.env("NO_COLOR"); off != "" {
		return false
	}
	term, _ := p.env("TERM")
	return term != "dumb" && isTerminal(p.stdout)
}

func (p *program) live() bool {
	term, _ := p.env("TERM")
	return term != "dumb" && isTerminal(p.stderr)
}

func shortTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func optionalTime(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return shortTime(*t)
}

// optionalDay is optionalTime for a narrow column.
func optionalDay(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.Local().Format(time.DateOnly)
}

// orDash makes an empty cell visible.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// some names the first three and counts the others.
func some(names []string) string {
	if len(names) <= 3 {
		return orDash(strings.Join(names, ", "))
	}
	return fmt.Sprintf("%s +%d", strings.Join(names[:3], ", "), len(names)-3)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
