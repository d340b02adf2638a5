package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) eventsCommand() *cobra.Command {
	return p.group("events", "Change events: who changed what, when and why", p.eventsList())
}

// eventView is a change event as the contract prints one.
type eventView struct {
	Number  *int64          `json:"number"`
	Time    time.Time       `json:"time"`
	Type    string          `json:"type"`
	Actor   client.Actor    `json:"actor"`
	Subject client.Subject  `json:"subject"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	Reason  string          `json:"reason"`
}

func viewEvent(e client.Event) eventView {
	return eventView{e.Number, e.Time, e.Type, e.Actor, e.Subject, orNull(e.Before), orNull(e.After), e.Reason}
}

func orNull(text json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return text
}

func (p *program) eventsList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List change events; those not yet numbered come last", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Events(ctx, org, list.options()), table[client.Event]{
			empty: "No events.", header: []string{"NUMBER", "TIME", "TYPE", "SUBJECT", "ACTOR", "REASON"},
			row: func(e client.Event) []string {
				number := "-"
				if e.Number != nil {
					number = strconv.FormatInt(*e.Number, 10)
				}
				return []string{number, shortTime(e.Time), e.Type, orDash(e.Subject.Name), actorName(e.Actor), e.Reason}
			},
			view: func(e client.Event) any { return viewEvent(e) },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	return cmd
}

func actorName(a client.Actor) string {
	if a.Name == "" {
		return a.Type
	}
	return a.Type + " " + a.Name
}
