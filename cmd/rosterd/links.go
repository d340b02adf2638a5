package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// memberDetail is what `members show` prints.
type memberDetail struct {
	memberView
	Role  string `json:"role"`
	OffBy string `json:"off_by,omitempty"`
	client.Links
}

func (p *program) membersShow() *cobra.Command {
	var org string
	cmd := p.command("show KEY", "Show a member, what ties it to identity providers, and what happened to it last", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		m, err := c.Member(ctx, org, args[0])
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(memberDetail{viewMember(m.Member), m.Role, m.OffBy, noneLeftOut(m.Links)})
		}
		return p.print(printable(memberLines(&m)))
	})
	cmd.Long = `Show a member by its id, user name, email, externalId or the identity provider's id.

Each link says which object of which connection the member is, which rule found it, and
how a run last saw it there. "rosterd events list --search ID" has the member's history,
"rosterd diff --user KEY" compares it with the identity provider now.`
	orgFlag(cmd, &org)
	return cmd
}

func memberLines(m *client.MemberDetail) string {
	var text strings.Builder
	status := m.Status
	if m.OffBy != "" {
		status += map[string]string{"push": " by a push", "run": " by a run", "operator": " by an operator"}[m.OffBy]
	}
	for _, line := range [][2]string{
		{"member", m.UserName}, {"id", m.ID}, {"name", orDash(m.DisplayName)}, {"email", orDash(m.Email)}, {"external id", orDash(m.ExternalID)},
		{"status", status}, {"source", m.Source}, {"role", m.Role}, {"connection", orDash(deref(m.Connection))}, {"teams", some(m.Teams)},
	} {
		fmt.Fprintf(&text, "%-13s%s\n", line[0], oneLine(line[1]))
	}
	linkLines(&text, m.Links)
	return text.String()
}

// noneLeftOut is the links as JSON has them: lists that are empty, and never null.
func noneLeftOut(l client.Links) client.Links {
	return client.Links{Links: orEmpty(l.Links), Undone: orEmpty(l.Undone)}
}

// linkLines writes what ties a member or team to identity providers.
func linkLines(text *strings.Builder, l client.Links) {
	for _, link := range l.Links {
		rule := "by " + link.Rule
		if link.Rule == "" {
			rule = "made with it"
		}
		fill(text, fmt.Sprintf("%-13s", "link"), oneLine(fmt.Sprintf("%s %s (%s, %s, since %s)",
			link.Connection, link.ObjectID, link.State, rule, shortTime(link.Since))))
	}
	for _, link := range l.Undone {
		fmt.Fprintf(text, "%-13s%s %s\n", "undone link", oneLine(link.Connection), oneLine(link.ObjectID))
	}
}

// unlinked is what a command that undoes a link needs to print.
type unlinked struct {
	name string
	view any
}

func unlinkMember(ctx context.Context, c *client.Client, org string, u client.Unlink) (unlinked, error) {
	m, err := c.UnlinkMember(ctx, org, u)
	return unlinked{m.UserName, memberDetail{viewMember(m.Member), m.Role, m.OffBy, noneLeftOut(m.Links)}}, err
}

func unlinkTeam(ctx context.Context, c *client.Client, org string, u client.Unlink) (unlinked, error) {
	t, err := c.UnlinkTeam(ctx, org, u)
	return unlinked{t.DisplayName, teamDetail{viewTeam(t.Team), t.Status, []client.Awaited{}, noneLeftOut(t.Links)}}, err
}

func (p *program) unlink(use, short string, undo func(context.Context, *client.Client, string, client.Unlink) (unlinked, error)) *cobra.Command {
	var org string
	var u client.Unlink
	cmd := p.command(use, short, func(ctx context.Context, args []string) error {
		u.Key = args[0]
		c, err := p.client()
		if err != nil {
			return err
		}
		done, err := undo(ctx, c, org, u)
		if err != nil {
			return err
		}
		return p.answer(done.view, "Undid the link of %s to %s.", done.name, u.Connection)
	})
	cmd.Long = short + `.

For a link that tied two who are not the same. Nothing else of either changes, and no
rule links them again: the next run treats the two as strangers. To take it back for a
member, use "rosterd members link".`
	orgFlag(cmd, &org)
	require(cmd, &u.Connection, "connection", "the connection whose link to undo")
	return cmd
}
