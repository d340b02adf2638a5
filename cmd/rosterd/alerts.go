package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) alertsCommand() *cobra.Command {
	return p.group("alerts", "What operators are to know of, and how they are told", p.alertsList(), p.alertsShow(), p.alertsTest())
}

func (p *program) alertsList() *cobra.Command {
	var all bool
	var list *listFlags
	cmd := p.command("list", "List open alerts, the oldest first", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		empty := "No open alerts."
		if all {
			empty = "No alerts."
		}
		return printList(p, c.Alerts(ctx, all, list.options()), table[client.Alert]{
			empty: empty, header: []string{"ID", "SINCE", "STATE", "WHAT", "TOLD"},
			row: func(a client.Alert) []string {
				state := a.Severity
				if a.State != "open" {
					state = a.State
				}
				return []string{shortID(a.ID), a.OpenedAt.Local().Format("01-02 15:04"), state, cut(a.Organisation+": "+a.Title, 36), toldBy(a.Deliveries)}
			},
			view: func(a client.Alert) any { return viewAlert(a) },
		})
	})
	cmd.Long = `List open alerts, the oldest first, of all organisations. TOLD says how the last messages
fared, on whichever channel is worst off. --json has everything, and rosterd alerts show ID
the text of one.`
	list = &listFlags{}
	cmd.Flags().BoolVar(&all, "all", false, "those that are resolved too (they are kept for 90 days)")
	cmd.Flags().StringVar(&list.Organisation, "org", "", "only those of this organisation")
	cmd.Flags().UintVar(&list.limit, "limit", 0, "at most so many (0: all)")
	return cmd
}

// viewAlert has no null where the contract has a list or an object.
func viewAlert(a client.Alert) client.Alert {
	a.Deliveries = orEmpty(a.Deliveries)
	if a.Details == nil {
		a.Details = map[string]any{}
	}
	return a
}

// idLen is how much of an alert's id, from its end, names it: the beginning is the time.
const idLen = 8

func shortID(id string) string { return id[max(0, len(id)-idLen):] }

// toldBy says how the last messages fared, on whichever channel is worst off.
func toldBy(deliveries []client.AlertDelivery) string {
	last := map[string]client.AlertDelivery{}
	for _, d := range deliveries {
		last[d.Channel] = d
	}
	worst := "-"
	rank := map[string]int{"-": 0, "yes": 1, "waiting": 2, "failing": 3, "given up": 4}
	for _, d := range last {
		now := "waiting"
		switch {
		case d.State == "sent":
			now = "yes"
		case d.State == "given_up":
			now = "given up"
		case d.Attempts > 0 && d.Error != "":
			now = "failing"
		}
		if rank[now] > rank[worst] {
			worst = now
		}
	}
	return worst
}

func (p *program) alertsShow() *cobra.Command {
	return p.command("show ID", "Show one alert (its id, or the end of that), and how each message of it fared", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		var found []client.Alert
		for a, err := range c.Alerts(ctx, true, client.ListOptions{}) {
			if err != nil {
				return err
			}
			if a.ID == args[0] || len(args[0]) >= idLen && strings.HasSuffix(a.ID, args[0]) {
				found = append(found, a)
			}
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("no alert %q: `rosterd alerts list --all` has the ids", args[0])
		case 1:
			return p.printAlert(viewAlert(found[0]))
		}
		return fmt.Errorf("%q names %d alerts: give the whole id, which `rosterd alerts list --all --json` has", args[0], len(found))
	})
}

func (p *program) printAlert(a client.Alert) error {
	if p.json {
		return p.printJSON(a)
	}
	var b strings.Builder
	line := func(label, text string) { fill(&b, padded(label, 14), oneLine(text)) }
	line("alert", a.Title)
	line("state", a.State+", "+a.Severity+", "+a.Kind)
	line("organisation", a.Organisation)
	line(a.SubjectType, a.Subject)
	line("since", shortTime(a.OpenedAt))
	if a.ResolvedAt != nil {
		line("resolved", shortTime(*a.ResolvedAt))
	}
	for _, d := range a.Deliveries {
		text := strings.ReplaceAll(d.State, "_", " ") + ", " + count(d.Attempts, "attempt", "attempts")
		if d.SentAt != nil {
			text += ", " + shortTime(*d.SentAt)
		}
		if d.NextAttemptAt != nil {
			text += ", next " + shortTime(*d.NextAttemptAt)
		}
		if d.Error != "" {
			text += ": " + d.Error
		}
		line(d.Channel, d.What+": "+text)
	}
	b.WriteString("\n")
	for text := range strings.Lines(printable(a.Text)) {
		text = strings.TrimRight(text, "\n")
		if strings.HasPrefix(text, "  ") || text == "" { // a command stays in one line
			b.WriteString(text + "\n")
			continue
		}
		fill(&b, "", text)
	}
	return p.print(b.String())
}

func (p *program) alertsTest() *cobra.Command {
	cmd := p.command("test", "Send a message on every channel, and say how each fared", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		tests, err := c.TestAlerts(ctx)
		if err != nil {
			return err
		}
		tests.Channels = orEmpty(tests.Channels)
		lines := make([]string, len(tests.Channels))
		for i, t := range tests.Channels {
			lines[i] = t.Channel + ": sent"
			if !t.OK {
				lines[i] = t.Channel + ": " + t.Error
			}
		}
		if err := p.answer(tests, "%s", strings.Join(lines, "\n")); err != nil {
			return err
		}
		if !tests.OK {
			return errors.New("not every channel took the message")
		}
		return nil
	})
	cmd.Long = `Send a message on every channel of the configuration's alerts section, at once and
without a second attempt, and say how each fared. Exit code 1 where one failed.`
	return cmd
}

// alertLines writes the first open alerts, below the status's heading.
func alertLines(b *strings.Builder, open []client.OpenAlert) {
	const most = 5
	if len(open) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", count(len(open), "open alert", "open alerts"))
	for i, a := range open {
		if i == most {
			break
		}
		fill(b, "  "+padded(a.Severity, 10), cut(a.Organisation, maxName)+": "+oneLine(a.Title))
	}
	b.WriteString("  see them: rosterd alerts list\n")
}
