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
	status.Connections, status.Alerts = orEmpty(status.Connections), orEmpty(status.Alerts)
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
	var text strings.Builder
	alertLines(&text, status.Alerts)
	if len(status.Connections) == 0 {
		p.note("No connections: pushes are taken, and no run starts.")
		return p.print(text.String())
	}
	for i := range status.Connections {
		connectionStatus(&text, &status.Connections[i])
	}
	return p.print(text.String())
}

// maxName is how much of a name a connection's heading shows, so that it fits a line with its state.
const maxName = 27

// connectionStatus writes a heading and, below it, a line for each thing to know of a connection.
func connectionStatus(b *strings.Builder, c *client.ConnectionStatus) {
	line := func(label, text string) { fill(b, "  "+padded(label, 12), oneLine(text)) }
	fmt.Fprintf(b, "\n%s (%s) of %s: %s\n", cut(c.Name, maxName), oneLine(c.Kind), cut(c.Organisation, maxName), oneLine(c.State))
	pauseLine(line, c.Paused, c.Name)
	if c.DryRun {
		line("mode", "dry-run: its runs only report")
	}
	quarantineLine(line, c.Quarantine)
	lifelineLine(line, c.Lifeline)
	blackoutLine(line, c.Blackout, false)
	if c.Kind != "scim" {
		line("last run", lastRun(c.LastRun))
	}
	line("next runs", nextRuns(c))
	jobLines(line, c.Job)
	if c.Kind != "scim" {
		const glue = "\u2060" // keeps a kind and its count in one line
		var drift strings.Builder
		fill(&drift, "  "+padded("drift", 12), oneLine(strings.NewReplacer(", ", ", ", " ", glue).Replace(foundDrift(c))))
		b.WriteString(strings.ReplaceAll(drift.String(), glue, " "))
	}
	switch {
	case c.State == "held":
		line("approve", "rosterd runs list --status held")
	case c.State == "failing" && c.LastRun != nil:
		line("why", "rosterd runs show "+c.LastRun.Run)
	case c.State == "detached":
		line("why", "rosterd connection list --org "+strconv.Quote(oneLine(c.Organisation)))
	}
}

// quarantineLine tells that the identity provider has slowed its own job down.
func quarantineLine(line func(label, text string), q *client.Quarantine) {
	if q == nil {
		return
	}
	text := "the identity provider's own job, since " + optionalTime(q.Since, "a time not known") + ": " + q.Reason
	if q.NextAttempt != nil {
		text += "; it tries again " + shortTime(*q.NextAttempt)
	}
	line("quarantine", text)
}

// jobLines writes what is known of the identity provider's own job, and why it or its log can't be read.
func jobLines(line func(label, text string), j *client.Job) {
	if j == nil {
		return
	}
	switch {
	case j.State == "none":
		line("job", "none: the application has no provisioning job")
	case j.ReadAt == nil:
		line("job", "not known")
	default:
		line("job", jobText(j))
	}
	for _, problem := range []struct{ what, text string }{{"job", j.Problem}, {"log", j.LogProblem}} {
		if problem.text != "" {
			line("", "its "+problem.what+" was not read: "+problem.text)
		}
	}
	if j.RestartedAt != nil {
		line("", "restarted by a run "+shortTime(*j.RestartedAt))
	}
	if j.RestartProblem != "" {
		line("", "no restart by a run: "+j.RestartProblem)
	}
}

func jobText(j *client.Job) string {
	parts := []string{strings.ReplaceAll(j.State, "_", " ")}
	if j.State == "quarantined" { // said above
		parts = nil
	}
	parts = append(parts, "last steady "+optionalTime(j.LastSteadyState, "never"))
	if c := j.LastCycle; c != nil {
		text := "last cycle " + optionalTime(c.Ended, "going on")
		if c.Failed {
			text += " failed"
			if c.Error != "" {
				text += ": " + c.Error
			}
		}
		if c.Escrowed > 0 {
			text += fmt.Sprintf(", %d waiting for another try", c.Escrowed)
		}
		parts = append(parts, text)
	}
	if j.Failures > 1 {
		parts = append(parts, fmt.Sprintf("%d failures in a row", j.Failures))
	}
	if j.Problem != "" {
		parts = append(parts, "as read "+optionalTime(j.ReadAt, ""))
	}
	return strings.Join(parts, "; ")
}

// cut shortens a text to a number of letters.
func cut(text string, most int) string {
	letters := []rune(oneLine(text))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}

func nextRuns(c *client.ConnectionStatus) string {
	var parts []string
	if c.NextDelta != nil {
		parts = append(parts, "delta "+shortTime(*c.NextDelta))
	}
	if c.NextFull != nil {
		parts = append(parts, "full "+shortTime(*c.NextFull))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case c.State == "detached":
		return "none: it is detached"
	case c.Kind == "scim":
		return "none: it is push only"
	}
	return "on demand: it has no schedule"
}

// foundDrift says what the last run found.
func foundDrift(c *client.ConnectionStatus) string {
	switch kinds := totals(c.Drift); {
	case kinds != "":
		return kinds
	case c.LastRun == nil:
		return "not known yet"
	case c.LastRun.State == "failed":
		return "not known: the last run failed"
	case c.LastRun.State == "cancelled":
		return "not known: the last run was cancelled"
	}
	return "none"
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
