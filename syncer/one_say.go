package syncer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

// row is the run's row but for its end: what the IdP said, and what is stored.
func (o *one) row(ctx context.Context, p *onePlan) (roster.Run, error) {
	run := *o.run
	run.Complete = len(p.unjudged) == 0
	if p.wanted != nil {
		run.Objects = 1
	}
	var notes []string
	if run.Note != "" {
		notes = append(notes, run.Note)
	}
	if o.ask.Dry {
		notes = append(notes, "only compared: nothing was written")
	}
	if !run.Complete {
		notes = append(notes, "memberships were left as they are: "+strings.Join(p.unjudged, "; "))
	}
	run.Note = strings.Join(notes, "; ")
	here, err := o.sayHere(ctx, p.here)
	said := &roster.Said{Key: o.ask.Key, ObjectID: p.object, There: o.sayThere(p), Here: here}
	if p.wanted != nil {
		said.Wanted = p.wanted.Values
	}
	if p.here != nil {
		said.MemberID, said.Stored = p.here.ID, p.here.Attributes.Values(o.conn.Managed)
	}
	run.Said = said
	return run, err
}

// sayThere says in words what the IdP said of the person.
func (o *one) sayThere(p *onePlan) string {
	switch {
	case len(p.several) > 0:
		return "several people match: " + o.several(p.place)
	case p.object == "":
		return "nobody has their userName or email"
	case p.wanted == nil:
		return strings.TrimSuffix("no such person any more: "+p.person.Why, ": ")
	}
	w := p.wanted
	parts := []string{cmp.Or(p.person.Why, "out of scope: no assignment of theirs is to the application")}
	if p.person.InScope && w.Gone != "" {
		parts[0] = "out of scope: " + w.Gone
	} else if p.person.InScope {
		parts[0] = "in scope"
		if w.Scope != "" {
			parts[0] += ": " + w.Scope
		}
	}
	switch {
	case w.Gone != "":
	case w.Keep && w.Problem != "":
		parts = append(parts, "kept as they are here, as the mapping can't be worked out: "+w.Problem)
	case w.Keep:
		parts = append(parts, "switched off, which the connection says to leave as it is")
	case w.Enabled:
		parts = append(parts, "enabled")
	case w.Off != "":
		parts = append(parts, "switched off: "+w.Off)
	default:
		parts = append(parts, "switched off")
	}
	parts = append(parts, "userName "+orNone(w.UserName()))
	if name := w.Values[roster.AttrDisplayName]; name != "" {
		parts = append(parts, "displayName "+name)
	}
	if len(p.teams) > 0 {
		parts = append(parts, "in the groups of "+teamList(p.teams))
	}
	return strings.Join(parts, "; ")
}

// sayHere says in words what is stored.
func (o *one) sayHere(ctx context.Context, m *roster.Member) (string, error) {
	if m == nil {
		return "nobody", nil
	}
	state := string(m.Status)
	if m.OffBy != "" {
		state += " by " + map[roster.Writer]string{roster.ByPush: "a push", roster.ByRun: "a run", roster.ByOperator: "an operator"}[m.OffBy]
	}
	parts := []string{state, "userName " + orNone(m.UserName())}
	if name := m.Attributes.Get(roster.AttrDisplayName); name != "" {
		parts = append(parts, "displayName "+name)
	}
	switch {
	case m.Source == roster.SourceLocal:
		parts = append(parts, "a local member")
	case m.Connection == "":
		parts = append(parts, "unclaimed")
	case m.Connection != o.conn.ID:
		parts = append(parts, "owned by connection "+o.names.Replace(m.Connection))
	}
	names, err := o.cfg.Store.TeamNames(ctx, o.ask.Org, []string{m.ID})
	if err != nil {
		return "", err
	}
	switch teams := names[m.ID]; {
	case !m.Status.Live():
		parts = append(parts, "memberships suspended")
	case len(teams) == 0:
		parts = append(parts, "in no team")
	default:
		parts = append(parts, "in "+teamList(teams))
	}
	if m.PushedAt.IsZero() {
		return strings.Join(append(parts, "never pushed"), "; "), nil
	}
	return strings.Join(append(parts, "last push "+m.PushedAt.UTC().Format(time.RFC3339)), "; "), nil
}

// sayDone says in words what was done, and what was left undone and why.
func (o *one) sayDone(p *onePlan, actions []roster.RunAction, outs []roster.Outcome) string {
	var did, would, left []string
	for i := range actions {
		a := &actions[i]
		switch verb := verbOf(&a.Drift); a.State {
		case roster.ActionApplied:
			did = append(did, verb.past)
		case roster.ActionPlanned:
			would = append(would, verb.now)
		case roster.ActionListed:
			left = append(left, "left as it is: "+a.Drift.Reason)
		default:
			left = append(left, "did not "+verb.now+": "+a.Note)
		}
	}
	failed := len(outs) > 0 && outs[0].Err != nil // links come first
	for _, verb := range o.linkVerbs(p) {
		switch {
		case o.ask.Dry:
			would = append([]string{verb.now}, would...)
		case !failed:
			did = append([]string{verb.past}, did...)
		}
	}
	return sentence(did, would, left, len(p.unjudged) == 0)
}

// linkVerbs says what becomes of the link and of who owns the member.
func (o *one) linkVerbs(p *onePlan) []verb {
	var out []verb
	if p.dec.Pass != "" {
		to := " ownership to connection " + o.names.Replace(p.dec.Pass)
		out = append(out, verb{"pass" + to, "passed" + to})
	}
	switch p.dec.LinkChange {
	case reconcile.LinkMade:
		out = append(out, verb{"link by " + p.dec.Link.Rule, "linked by " + p.dec.Link.Rule})
	case reconcile.LinkMoved:
		out = append(out, verb{"move the link, by " + p.dec.Link.Rule, "moved the link, by " + p.dec.Link.Rule})
	case reconcile.LinkAdopted:
		out = append(out, verb{"adopt and link by " + p.dec.Link.Rule, "adopted and linked by " + p.dec.Link.Rule})
	case reconcile.LinkNone, reconcile.LinkSeen:
	}
	return out
}

func sentence(did, would, left []string, whole bool) string {
	switch {
	case len(would) > 0:
		return strings.Join(append([]string{"nothing, as only a comparison was asked for; a resync would " + strings.Join(would, ", ")}, left...), "; ")
	case len(did)+len(left) > 0:
		return strings.Join(append(did, left...), "; ")
	case whole:
		return "nothing: there and here agree"
	}
	return "nothing: what was read agrees with what is stored"
}

type verb struct{ now, past string }

// verbOf says what an action does.
func verbOf(d *roster.Drift) verb {
	switch d.Action {
	case roster.ActUpdate:
		what := strings.Join(slices.Sorted(maps.Keys(d.Values)), ", ")
		return verb{"update " + what, "updated " + what}
	case roster.ActAdd:
		return verb{"add to team " + d.TeamName, "added to team " + d.TeamName}
	case roster.ActRemove:
		return verb{"take out of team " + d.TeamName, "took out of team " + d.TeamName}
	}
	now := string(d.Action)
	return verb{now, strings.TrimSuffix(now, "e") + "ed"}
}

// teamList names teams, the first few of many.
func teamList(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more teams", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) == 1 {
		return "team " + names[0]
	}
	return "teams " + strings.Join(names, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
