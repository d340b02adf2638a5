package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) membersCommand() *cobra.Command {
	return p.group("members", "People of an organisation", append(p.exclusionCommands("members", "KEY"),
		p.membersList(), p.membersInvite(),
		p.membersSwitch("deactivate KEY", "Deactivate a member (id, user name or email); no run undoes it", "Deactivated", (*client.Client).DeactivateMember),
		p.membersSwitch("reactivate KEY", "Take a deactivation back", "Reactivated", (*client.Client).ReactivateMember),
		p.membersAdopt(), p.membersLink(), p.membersShow(),
		p.unlink("unlink KEY", "Undo a connection's link to a member; no rule makes it again", unlinkMember),
	)...)
}

// memberView is a member as the contract prints one.
type memberView struct {
	ID          string   `json:"id"`
	UserName    string   `json:"user_name"`
	ExternalID  string   `json:"external_id"`
	DisplayName string   `json:"display_name"`
	Email       string   `json:"email"`
	Status      string   `json:"status"`
	Source      string   `json:"source"`
	Connection  *string  `json:"connection"`
	Teams       []string `json:"teams"`
}

func viewMember(m client.Member) memberView {
	return memberView{m.ID, m.UserName, m.ExternalID, m.DisplayName, m.Email, m.Status, m.Source, m.Connection, orEmpty(m.Teams)}
}

func (p *program) membersList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List members; deleted ones only with --status deleted", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Members(ctx, org, list.options()), table[client.Member]{
			empty: "No members.", header: []string{"USER NAME", "NAME", "STATUS", "SOURCE", "CONNECTION", "TEAMS"},
			row: func(m client.Member) []string {
				return []string{orDash(m.UserName), orDash(m.DisplayName), m.Status, m.Source, orDash(deref(m.Connection)), some(m.Teams)}
			},
			view: func(m client.Member) any { return viewMember(m) },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byConnection(cmd)
	list.byStatus(cmd, "pending", "active", "deactivated", "deleted")
	return cmd
}

func (p *program) membersInvite() *cobra.Command {
	var org string
	role := "member"
	cmd := p.command("invite EMAIL", "Make a local member, pending", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		m, err := c.InviteMember(ctx, org, client.NewMember{Email: args[0], Role: role})
		if err != nil {
			return err
		}
		return p.answer(viewMember(m), "Invited %s as %s (%s).", m.Email, m.Role, m.Status)
	})
	orgFlag(cmd, &org)
	cmd.Flags().Var(&choice{&role, []string{"owner", "admin", "viewer", "member"}}, "role", "owner, admin, viewer or member")
	return cmd
}

func (p *program) membersSwitch(use, short, done string, change func(*client.Client, context.Context, string, string) (client.Member, error)) *cobra.Command {
	var org string
	cmd := p.command(use, short, func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		m, err := change(c, ctx, org, args[0])
		if err != nil {
			return err
		}
		return p.answer(viewMember(m), "%s %s: now %s.", done, m.UserName, m.Status)
	})
	orgFlag(cmd, &org)
	return cmd
}

// adoptedView is what `members adopt` prints.
type adoptedView struct {
	Adopted []memberView     `json:"adopted"`
	Refused []client.Refusal `json:"refused"`
}

func (p *program) membersAdopt() *cobra.Command {
	var org string
	var adopt client.Adopt
	cmd := p.command("adopt [KEY]", "Hand a local member, or all that match, to a connection", func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			adopt.Key = args[0]
		}
		c, err := p.client()
		if err != nil {
			return err
		}
		result, err := c.AdoptMembers(ctx, org, adopt)
		if err != nil {
			return err
		}
		return p.printAdopted(result)
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 || len(args) == 1 && (args[0] == "" || adopt.AllMatching) || len(args) == 0 && !adopt.AllMatching {
			return usagef("%s needs one KEY, or --all-matching instead of it", cmd.CommandPath())
		}
		return nil
	}
	orgFlag(cmd, &org)
	require(cmd, &adopt.Connection, "connection", "the connection that takes over")
	cmd.Flags().BoolVar(&adopt.AllMatching, "all-matching", false, "every local member whom the connection's people match; owners are adopted one by one")
	return cmd
}

// printAdopted exits with 3 where some were refused, with 1 where all were.
func (p *program) printAdopted(result client.Adopted) error {
	view := adoptedView{Adopted: []memberView{}, Refused: orEmpty(result.Refused)}
	for _, m := range result.Adopted {
		view.Adopted = append(view.Adopted, viewMember(m))
	}
	if err := p.answer(view, "Adopted %s.", count(len(view.Adopted), "member", "members")); err != nil {
		return err
	}
	for _, r := range view.Refused {
		p.note("Refused: %s: %s", r.Member, r.Reason)
	}
	switch {
	case len(view.Refused) == 0:
		return nil
	case len(view.Adopted) == 0:
		return exitWith(exitFailed)
	}
	return exitWith(exitNotFinished)
}

func (p *program) membersLink() *cobra.Command {
	var org string
	var link client.LinkMember
	cmd := p.command("link KEY", "Add a connection's link to a member", func(ctx context.Context, args []string) error {
		link.Key = args[0]
		c, err := p.client()
		if err != nil {
			return err
		}
		m, err := c.LinkMember(ctx, org, link)
		if err != nil {
			return err
		}
		return p.answer(viewMember(m), "Linked %s to %s.", m.UserName, link.Connection)
	})
	orgFlag(cmd, &org)
	require(cmd, &link.Connection, "connection", "the connection to link to")
	cmd.Flags().StringVar(&link.ObjectID, "object", "", "the IdP's id of the person (default: looked up)")
	return cmd
}
