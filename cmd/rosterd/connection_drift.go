package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) connectionDrift() *cobra.Command {
	var org string
	var ask client.DriftOptions
	cmd := p.command("drift NAME", "What a connection's runs found, over time", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		d, err := c.Drift(ctx, org, args[0], ask)
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(viewDrift(d))
		}
		return p.driftTable(d)
	})
	cmd.Long = `What a connection's runs found, by kind of drift and over time.

FOUND counts differences with an action, APPLIED those that were repaired, and HELD those
that wait for approval, or were dropped waiting. LISTED is the most that one run listed
without an action: conflicts, what is only reported, and all that a dry run found. TREND
has found and listed together, the oldest on the left.`
	orgFlag(cmd, &org)
	cmd.Flags().StringVar(&ask.Since, "since", "", "since a time, or so long ago: a number and h, d or w, such as 24h (default 30d)")
	cmd.Flags().StringVar(&ask.Bucket, "by", "", "hour or day (default: hour up to two days)")
	return cmd
}

// viewDrift is what --json prints: lists and maps are never null.
func viewDrift(d client.DriftOverTime) client.DriftOverTime {
	if d.Totals == nil {
		d.Totals = map[string]client.DriftCount{}
	}
	d.Buckets = orEmpty(d.Buckets)
	for i := range d.Buckets {
		if d.Buckets[i].Kinds == nil {
			d.Buckets[i].Kinds = map[string]client.DriftCount{}
		}
	}
	return d
}

// widestTrend keeps the table within 80 columns.
const widestTrend = 24

func (p *program) driftTable(d client.DriftOverTime) error {
	form := time.DateOnly
	if d.Bucket == "hour" {
		form = "2006-01-02 15:04"
	}
	heading := fmt.Sprintf("Drift of %s since %s UTC, by the %s", printable(d.Connection), d.Since.UTC().Format(form), d.Bucket)
	if len(d.Totals) == 0 {
		return p.print(heading + ": none was found.\n")
	}
	if err := p.print(heading + "\n\n"); err != nil {
		return err
	}
	var rows [][]string
	for _, kind := range kinds() {
		n, found := d.Totals[kind]
		if !found {
			continue
		}
		levels := make([]int, len(d.Buckets))
		for i := range d.Buckets {
			b := d.Buckets[i].Kinds[kind]
			levels[i] = b.Found + b.Listed
		}
		rows = append(rows, []string{
			kind, strconv.Itoa(n.Found), strconv.Itoa(n.Applied), strconv.Itoa(n.Held), strconv.Itoa(n.Listed), sparkline(levels, widestTrend),
		})
	}
	return p.printTable([]string{"KIND", "FOUND", "APPLIED", "HELD", "LISTED", "TREND"}, rows)
}

// sparkline draws levels in no more than so many columns; what shares a column is shown by the highest.
func sparkline(levels []int, width int) string {
	if len(levels) == 0 {
		return ""
	}
	const steps = "▁▂▃▄▅▆▇█"
	bars := []rune(steps)
	columns := min(width, len(levels))
	top := max(1, slices.Max(levels))
	var b strings.Builder
	for i := range columns {
		level := slices.Max(levels[i*len(levels)/columns : (i+1)*len(levels)/columns])
		if level == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(bars[(level*len(bars)-1)/top])
	}
	return b.String()
}

// took says how long a run waited and how long its phases took; "" where nothing is known of it.
func took(r client.Run) string {
	if r.Timings == nil || r.FinishedAt == nil {
		return ""
	}
	var parts []string
	for _, phase := range []struct {
		name string
		took float64
	}{{"in the queue", r.Timings.Queued}, {"pull", r.Timings.Pull}, {"plan", r.Timings.Plan}, {"apply", r.Timings.Apply}} {
		if phase.took > 0 {
			parts = append(parts, phase.name+" "+shortLength(phase.took))
		}
	}
	return strings.Join(parts, ", ")
}

// shortLength rounds a length of time to what a person wants to know of it.
func shortLength(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
