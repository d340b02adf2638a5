package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Policer knows what a connection's runs may do by themselves; a Runner may be one.
type Policer interface {
	Policy(connectionID string) (roster.RunPolicy, bool)
}

const maxReason = 500

// policyRoutes are those of what operators keep runs from.
func (a *API) policyRoutes() {
	inOrg(a, get("/orgs/{org}/members/exclusions", "list-member-exclusions", "List the members that runs leave alone now"), a.listExclusions(roster.TypeMember))
	inOrg(a, post("/orgs/{org}/members/exclude", "exclude-member", "Have runs leave a member as they are, until a time", http.StatusOK), a.exclude(roster.TypeMember))
	inOrg(a, post("/orgs/{org}/members/include", "include-member", "Have runs look after a member again", http.StatusOK), a.include(roster.TypeMember))
	inOrg(a, get("/orgs/{org}/teams/exclusions", "list-team-exclusions", "List the teams that runs leave alone now"), a.listExclusions(roster.TypeTeam))
	inOrg(a, post("/orgs/{org}/teams/exclude", "exclude-team", "Have runs leave a team as it is, until a time", http.StatusOK), a.exclude(roster.TypeTeam))
	inOrg(a, post("/orgs/{org}/teams/include", "include-team", "Have runs look after a team again", http.StatusOK), a.include(roster.TypeTeam))
	inOrg(a, post("/orgs/{org}/connections/{name}/pause", "pause-connection", "Keep a connection's runs from starting; pushes go on", http.StatusOK), a.pauseConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/resume", "resume-connection", "End a pause", http.StatusOK), a.resumeConnection)
}

func (a *API) policy(c *roster.Connection) (roster.RunPolicy, bool) {
	p, ok := a.runs.(Policer)
	if !ok {
		return roster.RunPolicy{}, false
	}
	return p.Policy(c.ID)
}

// wirePolicy is nil for a connection without runs.
func (a *API) wirePolicy(c *roster.Connection) *client.Policy {
	p, ok := a.policy(c)
	if !ok {
		return nil
	}
	out := &client.Policy{Mode: "apply", Drift: map[string]string{}, Guards: map[string]client.Guard{}}
	if p.DryRun {
		out.Mode = "dry_run"
	}
	for kind, treatment := range p.Drift {
		out.Drift[string(kind)] = string(treatment)
	}
	for _, g := range p.Guards {
		guard := client.Guard{Floor: g.Floor, Percent: g.Percent}
		if g.Ceiling >= 0 {
			guard.Ceiling = &g.Ceiling
		}
		out.Guards[g.Name] = guard
	}
	return out
}

func wirePause(p *roster.Pause) *client.Pause {
	if p == nil {
		return nil
	}
	return &client.Pause{Since: p.Since, Until: optionalTime(p.Until), Reason: p.Reason, By: p.By}
}

// notPaused leaves the paused ones out, where others are left: a run of those alone is refused with the reason.
func (a *API) notPaused(all []roster.Connection) []roster.Connection {
	now := a.now()
	rest := slices.DeleteFunc(slices.Clone(all), func(c roster.Connection) bool { return c.PausedAt(now) != nil })
	if len(rest) == 0 {
		return all
	}
	return rest
}

// reason checks why somebody asks for something.
func reason(given string) (string, error) {
	given = strings.TrimSpace(given)
	switch {
	case given == "":
		return "", roster.Errorf(roster.Invalid, "reason: say why, for whoever meets it later")
	case utf8.RuneCountInString(given) > maxReason:
		return "", roster.Errorf(roster.Invalid, "reason: it may have up to %d characters", maxReason)
	case strings.ContainsFunc(given, unicode.IsControl):
		return "", roster.Errorf(roster.Invalid, "reason: it must not have line breaks or other control characters")
	}
	return given, nil
}

// end works out a time that is given as one, or as a length from now; the zero time: as neither.
func (a *API) end(until, length string) (time.Time, error) {
	switch {
	case until != "" && length != "":
		return time.Time{}, roster.Errorf(roster.Invalid, "until: give a time or a length, not both")
	case length != "":
		d, ok := span(length)
		if !ok {
			return time.Time{}, roster.Errorf(roster.Invalid, "for: %q is not understood; give a number and m, h, d or w, such as 2h", length)
		}
		return a.now().Add(d).UTC().Truncate(time.Second), nil
	case until == "":
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		t, err := time.Parse(layout, until)
		if err != nil {
			continue
		}
		if !t.After(a.now()) {
			return time.Time{}, roster.Errorf(roster.Invalid, "until: %s is past already", t.UTC().Format("2006-01-02 15:04 MST"))
		}
		return t.UTC(), nil
	}
	return time.Time{}, roster.Errorf(roster.Invalid,
		"until: %q is not understood; give a date such as 2026-12-01, which is its beginning in UTC, or a time such as 2026-12-01T18:00:00Z", until)
}

type pauseInput struct {
	InOrg
	Name string `path:"name" doc:"name or id"`
	Body client.AskPause
}

func (a *API) pauseConnection(ctx context.Context, s scope, in *pauseInput) (client.Connection, error) {
	none := client.Connection{}
	why, err := reason(in.Body.Reason)
	if err != nil {
		return none, err
	}
	until, err := a.end(in.Body.Until, in.Body.For)
	if err != nil {
		return none, err
	}
	c, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return none, err
	}
	return a.changeConnection(ctx, s, roster.ConnectionPause{ID: c.ID, Until: until, Reason: why})
}

func (a *API) resumeConnection(ctx context.Context, s scope, in *connectionInput) (client.Connection, error) {
	c, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return client.Connection{}, err
	}
	out, err := a.changeConnection(ctx, s, roster.ConnectionResume{ID: c.ID})
	if err == nil {
		a.wake() // a run may have waited
	}
	return out, err
}
