package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// untilHelp is what --until and --for take.
const untilHelp = `--until takes a date, such as 2026-12-01, which is its beginning in UTC, or a time, such
as 2026-12-01T18:00:00Z; --for takes a number and m, h, d or w, such as 2h or 3d.`

// untilFlags adds --until, --for and --reason.
func untilFlags(cmd *cobra.Command, until, length, reason *string) {
	cmd.Flags().StringVar(until, "until", "", "when it ends by itself: a date or a time")
	cmd.Flags().StringVar(length, "for", "", "for how long, such as 2h or 3d")
	cmd.MarkFlagsMutuallyExclusive("until", "for")
	require(cmd, reason, "reason", "why, for whoever meets it later")
}

func (p *program) connectionPause() *cobra.Command {
	var org string
	var ask client.AskPause
	cmd := p.command("pause NAME", "Keep a connection's runs from starting; pushes go on", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		connection, err := c.PauseConnection(ctx, org, args[0], ask)
		if err != nil {
			return err
		}
		if err := p.answer(connection, "Paused connection %s %s.", connection.Name, pausedUntil(connection.Paused)); err != nil {
			return err
		}
		if !p.json {
			p.note("A run that is running goes on: `rosterd runs list --status running` shows it.")
		}
		return nil
	})
	cmd.Long = `Keep a connection's runs from starting, until a time or until
"rosterd connection resume NAME". No scheduled run starts, a resync is refused, and what
is approved waits; dry runs go on, and so do pushes. A run that is running goes on:
"rosterd runs cancel RUN" stops it.

` + untilHelp
	orgFlag(cmd, &org)
	untilFlags(cmd, &ask.Until, &ask.For, &ask.Reason)
	return cmd
}

func pausedUntil(p *client.Pause) string {
	if p == nil || p.Until == nil {
		return "until it is resumed"
	}
	return "until " + fullTime(*p.Until)
}

// fullTime names the zone too: what ends is not read off by half.
func fullTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// pauseLine tells that a connection is paused.
func pauseLine(line func(label, text string), p *client.Pause, name string) {
	if p == nil {
		return
	}
	line("paused", fmt.Sprintf("%s, by %s, since %s: %s", pausedUntil(p), p.By, fullTime(p.Since), p.Reason))
	line("", "rosterd connection resume "+name)
}

// policyLines writes what a connection's runs may do by themselves.
func policyLines(line func(label, text string), p *client.Policy) {
	if p == nil {
		return
	}
	if p.Mode == "dry_run" {
		line("mode", "dry-run: every run of the connection only reports, and writes nothing")
	}
	var set []string
	for _, kind := range slices.Sorted(maps.Keys(p.Drift)) {
		if p.Drift[kind] != "apply" {
			set = append(set, kind+": "+p.Drift[kind])
		}
	}
	if len(set) == 0 {
		set = []string{"every kind is applied"}
	}
	line("drift", strings.Join(set, ", "))
	label := "guards"
	for _, name := range []string{"members", "memberships", "reactivations", "team", "mapping_mismatch", "renames", "conflicts"} {
		g, ok := p.Guards[name]
		if !ok {
			continue
		}
		text := fmt.Sprintf("more than %d and %d%%", g.Floor, g.Percent)
		if g.Ceiling != nil {
			text = fmt.Sprintf("more than %d, or more than %d and %d%%", *g.Ceiling, g.Floor, g.Percent)
		}
		line(label, name+": "+text)
		label = ""
	}
}
