package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) doctorEntra() *cobra.Command {
	cmd := p.doctorConnection(entra, "Tell whether Entra's provisioning job and a connection do the same, and if not, why")
	cmd.Long = `Asks Microsoft Graph, through the daemon, whether a pull would work, what the
enterprise application's own provisioning job is doing, what it failed at and
skipped of late by its log, and whether it maps and scopes as the connection does.
It says for each what is amiss and what to do. Exit codes: 0 nothing stands in the
way, 1 something does.

The job needs the application permission Synchronization.Read.All, its log
AuditLog.Read.All; without them it says so and checks the rest.`
	return cmd
}

// doctorConnection checks a connection of one kind against its identity provider.
func (p *program) doctorConnection(kind, short string) *cobra.Command {
	var org, name string
	cmd := p.command(kind, short, func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		if name == "" {
			if name, err = onlyConnection(ctx, c, org, kind); err != nil {
				return err
			}
		}
		found, err := c.DiagnoseConnection(ctx, org, name)
		if err != nil {
			return err
		}
		if found.Kind != kind {
			return usagef("connection %s is of kind %s: rosterd doctor %s --org %s --connection %s", found.Connection, found.Kind, found.Kind, org, name)
		}
		return p.printDiagnosis(found)
	})
	orgFlag(cmd, &org)
	cmd.Flags().StringVar(&name, "connection", "", "the connection to check (default: the only one of this kind)")
	return cmd
}

// onlyConnection returns the one connection of a kind that an organisation has.
func onlyConnection(ctx context.Context, c *client.Client, org, kind string) (string, error) {
	all, err := client.Collect(c.Connections(ctx, org, client.ListOptions{}))
	if err != nil {
		return "", err
	}
	var names []string
	for i := range all {
		if all[i].Kind == kind && all[i].State != "detached" {
			names = append(names, all[i].Name)
		}
	}
	switch len(names) {
	case 0:
		return "", usagef("organisation %s has no connection of kind %s; the configuration file declares them", org, kind)
	case 1:
		return names[0], nil
	}
	return "", usagef("organisation %s has several connections of kind %s: name one of %s by --connection", org, kind, strings.Join(names, ", "))
}

// printDiagnosis gives the answer, and by its exit code the verdict.
func (p *program) printDiagnosis(found client.Diagnosis) error {
	found.Checks = orEmpty(found.Checks)
	code := exitDone
	if !found.OK {
		code = exitFailed
	}
	if p.json {
		if err := p.printJSON(found); err != nil {
			return err
		}
		return exitWith(code)
	}
	var text strings.Builder
	states := map[findingState]int{}
	for _, f := range found.Checks {
		states[findingState(f.State)]++
		text.WriteString(finding{Check: f.Check, State: findingState(f.State), Text: f.Text, Fix: f.Fix}.lines())
	}
	text.WriteString("\n" + indentedText(diagnosisVerdict(found.Connection, states), ""))
	if err := p.print(text.String()); err != nil {
		return err
	}
	return exitWith(code)
}

func diagnosisVerdict(connection string, states map[findingState]int) string {
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return strconv.Itoa(n) + " " + many
	}
	switch fails, warns := states[stateFail], states[stateWarn]; {
	case fails > 0 && warns > 0:
		return connection + ": " + count(fails, "check failed", "checks failed") + ", " + count(warns, "warning.", "warnings.")
	case fails > 0:
		return connection + ": " + count(fails, "check failed.", "checks failed.")
	case warns > 0:
		return connection + ": it works, with " + count(warns, "warning.", "warnings.")
	}
	return connection + ": all is well."
}
