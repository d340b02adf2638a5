package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) requestsCommand() *cobra.Command {
	return p.group("requests", "The SCIM request log", p.requestsList())
}

func (p *program) requestsList() *cobra.Command {
	var org string
	var asCSV bool
	var list *listFlags
	cmd := p.command("list", "List SCIM requests; bodies with --json or --csv", func(ctx context.Context, _ []string) error {
		if asCSV && p.json {
			return usagef("--csv and --json exclude each other")
		}
		c, err := p.client()
		if err != nil {
			return err
		}
		requests := c.Requests(ctx, org, list.options())
		switch {
		case p.json:
			return p.streamJSON(requests)
		case asCSV:
			return p.streamCSV(requests)
		}
		return printList(p, requests, table[client.Request]{
			empty: "No requests.", header: []string{"TIME", "STATUS", "MS", "METHOD", "TOKEN", "PATH", "DETAIL"},
			row: func(r client.Request) []string {
				return []string{
					shortTime(r.Time), strconv.Itoa(r.Status), strconv.FormatInt(r.DurationMS, 10), r.Method, orDash(r.Token),
					shortPath(r.Path), requestNote(r),
				}
			},
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	flags := cmd.Flags()
	flags.Var(&httpStatus{&list.Status}, "status", "only those answered with this status, such as 409, or class, such as 4xx")
	flags.StringVar(&list.Token, "token", "", "only those with this token: its name or id")
	flags.StringVar(&list.Method, "method", "", "only those with this HTTP method")
	flags.StringVar(&list.Path, "path", "", "only those whose path begins so behind the SCIM base URL, such as /Users")
	flags.StringVar(&list.Quirk, "quirk", "", `only those of which something was tolerated that contains this, such as "capitalised op"`)
	flags.StringVar(&list.Since, "since", "", "only those since a time, or since so long ago: a number and m, h, d or w, such as 1h")
	flags.BoolVar(&asCSV, "csv", false, "print comma-separated values")
	return cmd
}

// shortPath leaves out the address of the service.
func shortPath(path string) string {
	short := strings.TrimPrefix(strings.TrimPrefix(path, "/service/v1"), "/scim/v2")
	if short == "" {
		return path
	}
	return short
}

// requestNote is what there is to say of a request beside its answer.
func requestNote(r client.Request) string {
	var parts []string
	if r.Repeats > 1 {
		parts = append(parts, fmt.Sprintf("%d times", r.Repeats))
	}
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	if r.Quirk != "" {
		parts = append(parts, "tolerated: "+r.Quirk)
	}
	return strings.Join(parts, "; ")
}

// streamJSON prints a list as it comes: a request log may be larger than the memory. One that breaks off is no JSON, so
// that nobody takes it for the whole.
func (p *program) streamJSON(requests iter.Seq2[client.Request, error]) error {
	between, end := "[\n  ", "[]\n"
	for r, err := range requests {
		if err != nil {
			return err
		}
		text, err := indented(r, "  ")
		if err != nil {
			return err
		}
		if err := p.print(between + text); err != nil {
			return err
		}
		between, end = ",\n  ", "\n]\n"
	}
	return p.print(end)
}

// indented is JSON as printJSON prints it, within something else.
func indented(value any, prefix string) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("encode the answer: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// streamCSV prints a list for a spreadsheet, as it comes.
func (p *program) streamCSV(requests iter.Seq2[client.Request, error]) error {
	w := csv.NewWriter(p.stdout)
	header := []string{
		"time", "id", "method", "path", "status", "duration_ms", "token", "client", "user_agent", "repeats", "quirk", "detail",
		"request_body", "response_body",
	}
	if err := w.Write(header); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	for r, err := range requests {
		if err != nil {
			w.Flush()
			return err
		}
		row := []string{
			r.Time.UTC().Format(time.RFC3339Nano), r.ID, r.Method, r.Path, strconv.Itoa(r.Status), strconv.FormatInt(r.DurationMS, 10),
			r.Token, r.Client, r.UserAgent, strconv.Itoa(r.Repeats), r.Quirk, r.Detail, r.RequestBody, r.ResponseBody,
		}
		for i, cell := range row {
			row[i] = noFormula(cell)
		}
		if err := w.Write(row); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// noFormula keeps a spreadsheet from calculating what a client has sent.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
