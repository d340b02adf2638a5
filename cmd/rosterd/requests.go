package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) requestsCommand() *cobra.Command {
	return p.group("requests", "The SCIM request log", p.requestsList())
}

func (p *program) requestsList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List SCIM requests; bodies with --json", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Requests(ctx, org, list.options()), table[client.Request]{
			empty: "No requests.", header: []string{"TIME", "STATUS", "METHOD", "TOKEN", "PATH", "DETAIL"},
			row: func(r client.Request) []string {
				return []string{shortTime(r.Time), strconv.Itoa(r.Status), r.Method, orDash(r.Token), r.Path, r.Detail}
			},
			view: func(r client.Request) any { return r },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	cmd.Flags().Var(&httpStatus{&list.Status}, "status", "only those answered with this status, such as 409, or class, such as 4xx")
	return cmd
}
