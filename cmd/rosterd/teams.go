package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) teamsCommand() *cobra.Command {
	return p.group("teams", "Teams of an organisation", append(p.exclusionCommands("teams", "TEAM"), p.teamsList(), p.teamsShow(),
		p.unlink("unlink TEAM", "Undo a connection's link to a team; no rule makes it again", unlinkTeam))...)
}

// teamView is a team as the contract prints one.
type teamView struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"display_name"`
	ExternalID  string   `json:"external_id"`
	Managed     bool     `json:"managed"`
	Connection  *string  `json:"connection"`
	Members     []string `json:"members"`
	Awaited     int      `json:"awaited,omitempty"`
}

func viewTeam(t client.Team) teamView {
	return teamView{t.ID, t.DisplayName, t.ExternalID, t.Managed, t.Connection, orEmpty(t.Members), t.Awaited}
}

// teamDetail is what `teams show` prints besides.
type teamDetail struct {
	teamView
	Status         string           `json:"status"`
	AwaitedMembers []client.Awaited `json:"awaited_members"`
	client.Links
}

func (p *program) teamsList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List teams; deleted ones only with --status deleted", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Teams(ctx, org, list.options()), table[client.Team]{
			empty: "No teams.", header: []string{"TEAM", "MANAGED", "CONNECTION", "MEMBERS", "AWAITED"},
			row: func(t client.Team) []string {
				return []string{
					orDash(t.DisplayName), yesNo(t.Managed), orDash(deref(t.Connection)), strconv.Itoa(len(t.Members)), strconv.Itoa(t.Awaited),
				}
			},
			view: func(t client.Team) any { return viewTeam(t) },
		})
	})
	cmd.Long = `List teams; deleted ones only with --status deleted. AWAITED is how many members an
identity provider has pushed into the team who are not here yet: each gets into the
team when they come. "rosterd teams show" says who.`
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byConnection(cmd)
	list.byStatus(cmd, "active", "deleted")
	return cmd
}

func (p *program) teamsShow() *cobra.Command {
	var org string
	cmd := p.command("show TEAM", "Show a team, its members, and who is awaited in it", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		t, err := c.Team(ctx, org, args[0])
		if err != nil {
			return err
		}
		awaited, err := client.Collect(c.Awaited(ctx, org, t.ID, client.ListOptions{}))
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(teamDetail{viewTeam(t.Team), t.Status, orEmpty(awaited), noneLeftOut(t.Links)})
		}
		return p.printTeam(&t, awaited)
	})
	cmd.Long = `Show a team by its id, name, externalId or the identity provider's id.

Awaited is whom a push named as a member of the team and who is not here yet: the
value as it was pushed, since when, and by which token. They get into the team when
they come, and "rosterd diff" lists them until then.`
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) printTeam(t *client.TeamDetail, awaited []client.Awaited) error {
	var text strings.Builder
	for _, line := range [][2]string{
		{"team", t.DisplayName}, {"id", t.ID}, {"external id", orDash(t.ExternalID)}, {"status", t.Status},
		{"managed", yesNo(t.Managed)}, {"connection", orDash(deref(t.Connection))}, {"members", strconv.Itoa(len(t.Members))},
	} {
		fmt.Fprintf(&text, "%-13s%s\n", line[0], oneLine(line[1]))
	}
	for _, name := range t.Members {
		fmt.Fprintf(&text, "  %s\n", oneLine(name))
	}
	linkLines(&text, t.Links)
	fmt.Fprintf(&text, "%-13s%d\n", "awaited", len(awaited))
	if err := p.print(text.String()); err != nil || len(awaited) == 0 {
		return err
	}
	rows := make([][]string, len(awaited))
	for i, a := range awaited {
		rows[i] = []string{"  " + a.Value, shortTime(a.Since), orDash(a.Token)}
	}
	return p.printTable([]string{"  VALUE", "SINCE", "TOKEN"}, rows)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
