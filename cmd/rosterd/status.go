package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) statusCommand() *cobra.Command {
	return p.command("status", "Say how the daemon and its connections are", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		status, err := c.Status(ctx)
		if err != nil {
			return err
		}
		return p.printStatus(status)
	})
}

func (p *program) printStatus(status client.Status) error {
	status.Connections = orEmpty(status.Connections)
	for i := range status.Connections {
		if status.Connections[i].Drift == nil {
			status.Connections[i].Drift = map[string]int{}
		}
	}
	if p.json {
		return p.printJSON(status)
	}
	if err := p.answer(status, "rosterd %s on %s", status.Version, status.Database); err != nil {
		return err
	}
	if len(status.Connections) == 0 {
		p.note("No connections: pushes are taken, and no run starts.")
		return nil
	}
	rows := make([][]string, 0, len(status.Connections))
	for _, c := range status.Connections {
		rows = append(rows, []string{c.Organisation, c.Name, c.Kind, connectionState(c), lastRun(c.LastRun), foundCount(c.Drift)})
	}
	if err := p.printTable([]string{"ORGANISATION", "CONNECTION", "KIND", "STATE", "LAST RUN", "FOUND"}, rows); err != nil {
		return err
	}
	for _, c := range status.Connections {
		if kinds := totals(c.Drift); kinds != "" {
			if err := p.print(wrapped("\nThe last run of "+c.Name+" found: "+kinds, lineWidth) + "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// foundCount is how many differences a run found.
func foundCount(counts map[string]int) string {
	n := 0
	for _, count := range counts {
		n += count
	}
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// wrapped breaks a line at its spaces; what goes on is indented.
func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func connectionState(c client.ConnectionStatus) string {
	if c.Quarantine != nil {
		return fmt.Sprintf("%s (IdP in quarantine since %s: %s)", c.State, shortTime(c.Quarantine.Since), c.Quarantine.Reason)
	}
	return c.State
}

func lastRun(r *client.RunRef) string {
	if r == nil {
		return "never"
	}
	return fmt.Sprintf("%s %s %s", r.Mode, r.State, optionalTime(r.FinishedAt, ""))
}

// totals lists counts by kind, those of zero left out.
func totals(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kind, counts[kind]))
		}
	}
	return strings.Join(parts, ", ")
}
