package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) teamsCommand() *cobra.Command {
	return p.group("teams", "Teams of an organisation", p.teamsList())
}

// teamView is a team as the contract prints one.
type teamView struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"display_name"`
	ExternalID  string   `json:"external_id"`
	Managed     bool     `json:"managed"`
	Connection  *string  `json:"connection"`
	Members     []string `json:"members"`
}

func viewTeam(t client.Team) teamView {
	return teamView{t.ID, t.DisplayName, t.ExternalID, t.Managed, t.Connection, orEmpty(t.Members)}
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
			empty: "No teams.", header: []string{"TEAM", "MANAGED", "CONNECTION", "MEMBERS"},
			row: func(t client.Team) []string {
				return []string{orDash(t.DisplayName), yesNo(t.Managed), orDash(deref(t.Connection)), strconv.Itoa(len(t.Members))}
			},
			view: func(t client.Team) any { return viewTeam(t) },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byConnection(cmd)
	list.byStatus(cmd, "active", "deleted")
	return cmd
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
