package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// exclusionCommands are the same for members and for teams.
func (p *program) exclusionCommands(of, key string) []*cobra.Command {
	return []*cobra.Command{p.exclude(of, key), p.include(of, key), p.exclusions(of)}
}

func (p *program) exclude(of, key string) *cobra.Command {
	var org string
	var ask client.Exclude
	cmd := p.command("exclude "+key, "Have runs leave it as it is, until a time", func(ctx context.Context, args []string) error {
		if ask.Until == "" && ask.For == "" {
			return usagef("%s exclude needs --until or --for: when does it end?", of)
		}
		ask.Key = args[0]
		c, err := p.client()
		if err != nil {
			return err
		}
		e, err := c.Exclude(ctx, org, of, ask)
		if err != nil {
			return err
		}
		return p.answer(e, "Excluded %s until %s.\nRuns%s leave it as it is.", oneLine(e.Name), fullTime(e.Until), ofConnection(&e))
	})
	cmd.Long = map[string]string{
		"members": `Have runs leave a member as they are: attributes, status, and their memberships of any
team. What differs is listed with the reason, and repaired by the first run after the
end. Pushes, which are the identity provider's own word, are taken as ever.
`,
		"teams": `Have runs leave a team as it is: its names and its members. What differs is listed
with the reason, and repaired by the first run after the end. Pushes, which are the
identity provider's own word, are taken as ever.
`,
	}[of] + "\n" + untilHelp
	orgFlag(cmd, &org)
	untilFlags(cmd, &ask.Until, &ask.For, &ask.Reason)
	cmd.Flags().StringVar(&ask.Connection, "connection", "", "only from runs of this connection (default: of all)")
	return cmd
}

// ofConnection says whose runs an exclusion is about.
func ofConnection(e *client.Exclusion) string {
	if e.Connection == nil {
		return ""
	}
	return " of connection " + *e.Connection
}

func (p *program) include(of, key string) *cobra.Command {
	var org string
	var ask client.Include
	cmd := p.command("include "+key, "Have runs look after it again", func(ctx context.Context, args []string) error {
		ask.Key = args[0]
		c, err := p.client()
		if err != nil {
			return err
		}
		e, err := c.Include(ctx, org, of, ask)
		if err != nil {
			return err
		}
		return p.answer(e, "Runs look after %s again.", oneLine(e.Name))
	})
	orgFlag(cmd, &org)
	cmd.Flags().StringVar(&ask.Connection, "connection", "", "only for runs of this connection (default: whatever excludes it)")
	return cmd
}

func (p *program) exclusions(of string) *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("exclusions", "List what runs leave alone now, and until when", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Exclusions(ctx, org, of, list.options()), table[client.Exclusion]{
			empty: "No exclusions: runs look after all " + of + ".", header: []string{"NAME", "UNTIL", "CONNECTION", "BY", "REASON"},
			row: func(e client.Exclusion) []string {
				connection := "all"
				if e.Connection != nil {
					connection = cut(*e.Connection, 10)
				}
				return []string{cut(orDash(e.Name), 18), e.Until.UTC().Format("2006-01-02 15:04"), connection, cut(orDash(e.By), 12), cut(e.Reason, 16)}
			},
			view: func(e client.Exclusion) any { return e },
		})
	})
	cmd.Long = "List what runs leave alone now. UNTIL is in UTC; --json has every reason in full."
	orgFlag(cmd, &org)
	list = &listFlags{}
	cmd.Flags().UintVar(&list.limit, "limit", 0, "at most so many (0: all)")
	return cmd
}
