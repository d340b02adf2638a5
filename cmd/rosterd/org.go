package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) orgCommand() *cobra.Command {
	return p.group("org", "Organisations and their SCIM switch",
		p.orgCreate(), p.orgList(),
		p.group("scim", "Take pushes or refuse them",
			p.orgSCIM("on", "Take pushes", true), p.orgSCIM("off", "Refuse pushes; runs go on", false), p.orgSCIMStatus()),
	)
}

func (p *program) orgCreate() *cobra.Command {
	return p.command("create NAME", "Make an organisation; SCIM starts off", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		org, err := c.CreateOrganisation(ctx, args[0])
		if err != nil {
			return err
		}
		return p.answer(org, "Created organisation %s. Pushes are %s: `rosterd org scim on --org %s`.", org.Name, onOff(org.SCIM), org.Name)
	})
}

func (p *program) orgList() *cobra.Command {
	var list *listFlags
	cmd := p.command("list", "List organisations", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Organisations(ctx, list.options()), table[client.Organisation]{
			empty: "No organisations.", header: []string{"NAME", "SCIM", "CREATED", "ID"},
			row: func(o client.Organisation) []string {
				return []string{o.Name, onOff(o.SCIM), shortTime(o.CreatedAt), o.ID}
			},
			view: func(o client.Organisation) any { return o },
		})
	})
	list = bindList(cmd)
	return cmd
}

func (p *program) orgSCIM(name, short string, enabled bool) *cobra.Command {
	var org string
	cmd := p.command(name, short, func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		status, err := c.SetSCIM(ctx, org, enabled)
		return p.scimStatus(status, err)
	})
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) orgSCIMStatus() *cobra.Command {
	var org string
	cmd := p.command("status", "Say whether pushes are taken, and where", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		status, err := c.SCIM(ctx, org)
		return p.scimStatus(status, err)
	})
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) scimStatus(status client.SCIMStatus, err error) error {
	if err != nil {
		return err
	}
	return p.answer(status, "SCIM is %s for %s. Base URL: %s", onOff(status.Enabled), status.Organisation, status.BaseURL)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
