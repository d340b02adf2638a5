// Package roster is the domain: organisations, members, teams, links, tokens, connections, runs and events, the rules
// that hold for them, and the one verb that writes, Commit.
package roster

import (
	"context"
	"errors"
	"fmt"
	"sort"
)

// Roster applies changes by the rules. Push, run and operator go through the same Commit.
type Roster struct{ store Store }

// New returns a Roster over a store.
func New(store Store) *Roster { return &Roster{store: store} }

// errAgain asks for the batch to be decided once more without assuming that userNames are handed on within it.
var errAgain = errors.New("a userName was not freed after all")

// Commit applies changes to one organisation in one transaction: it checks the run's fence, takes the locks in id
// order, decides each change by the rules, and writes rows, events and the request-log row as sets. The outcome of each
// change is applied, unchanged, stale or refused; its neighbours go on, unless the cause is Atomic, when the first one
// that fails is returned as the error. An error otherwise means that nothing was written.
func (r *Roster) Commit(ctx context.Context, org string, cause Cause, changes []Change) ([]Outcome, error) {
	outs, err := r.commit(ctx, org, cause, changes, true)
	if errors.Is(err, errAgain) {
		outs, err = r.commit(ctx, org, cause, changes, false)
	}
	return outs, err
}

func (r *Roster) commit(ctx context.Context, org string, cause Cause, changes []Change, handOn bool) ([]Outcome, error) {
	var outs []Outcome
	err := r.store.InTx(ctx, func(tx Tx) error {
		b := newBatch(tx, org, cause, handOn)
		if err := b.begin(ctx, changes); err != nil {
			return err
		}
		outs = make([]Outcome, len(changes))
		for i, c := range changes {
			if run := cause.Run; run != nil && i < len(run.Reasons) {
				b.cause.Reason = run.Reasons[i]
			}
			out, err := b.decide(ctx, c)
			if err != nil {
				return err
			}
			if cause.Atomic && out.Err != nil {
				return out.Err
			}
			outs[i] = out
		}
		return b.finish(ctx, outs)
	})
	if err != nil {
		return nil, err
	}
	return outs, nil
}

// begin checks the fence and loads, in id order, what the changes name.
func (b *batch) begin(ctx context.Context, changes []Change) error {
	run := b.cause.Run
	one := run != nil && run.One != nil
	if run != nil && !one {
		if err := b.tx.CheckFence(ctx, b.org, run.ID, run.Fence); err != nil {
			return err
		}
	}
	need := needs{connections: one}
	for _, c := range changes {
		need.add(c)
	}
	if err := b.lockNames(ctx, changes); err != nil {
		return err
	}
	if err := b.load(ctx, &need); err != nil {
		return err
	}
	if one {
		if err := b.beginOne(run.One); err != nil {
			return err
		}
	}
	if b.handOn {
		b.markLeaving(changes)
	}
	return nil
}

// decide applies one change to the working set. An error aborts the batch; a refusal is in the outcome.
func (b *batch) decide(ctx context.Context, c Change) (Outcome, error) {
	switch c := c.(type) {
	case MemberCreate:
		return b.createMember(ctx, c)
	case MemberEdit:
		return b.editMember(ctx, c)
	case MemberDelete:
		return b.deleteMember(ctx, c)
	case MemberPatch:
		return b.patchMember(ctx, c)
	case MemberPass:
		return b.passMember(c)
	case MemberInvite:
		return b.inviteMember(ctx, c)
	case MemberSetStatus:
		return b.setMemberStatus(ctx, c)
	case MemberAdopt:
		return b.adoptMember(c)
	case LinkSet:
		return b.setLink(c)
	case LinkDrop:
		return b.dropLink(c)
	case TeamCreate:
		return b.createTeam(ctx, c)
	case TeamEdit:
		return b.editTeam(ctx, c)
	case TeamDelete:
		return b.deleteTeam(c)
	case TeamRestore:
		return b.restoreTeam(c)
	case MembershipSet:
		return b.setMembership(c)
	case OrgCreate, OrgSCIM, TokenCreate, TokenSet, TokenLimit, TokenWarn, TokenDelete, APIKeyCreate, APIKeyDelete:
		return b.administer(ctx, c)
	case ConnectionSync, ConnectionDetach, ConnectionRebind, ConnectionRename, ConnectionRelease:
		return b.changeConnection(ctx, c)
	case RunRequest, RunCancel, RunApprove:
		return b.changeRun(ctx, c)
	case ConnectionPause:
		return b.pauseConnection(c)
	case ConnectionResume:
		return b.resumeConnection(c)
	case PushesJudged:
		return b.judgePushes(ctx, c)
	case Exclude:
		return b.exclude(c)
	case Include:
		return b.include(ctx, c)
	}
	return Outcome{}, fmt.Errorf("commit: unknown change %T", c)
}

// finish renews the fingerprints of what is stored, gathers the rows and writes them with the answer.
func (b *batch) finish(ctx context.Context, outs []Outcome) error {
	if b.handOn && b.clashes() {
		return errAgain
	}
	if err := b.recall(ctx, outs); err != nil {
		return err
	}
	if err := b.renewHere(ctx); err != nil {
		return err
	}
	b.gather()
	if run := b.cause.Run; run != nil {
		if run.One != nil {
			b.finishOne(run.One, outs)
		} else {
			b.markActions(run, outs)
		}
	}
	if b.cause.Respond != nil {
		req, err := b.cause.Respond(outs)
		if err != nil {
			return err
		}
		if req != nil {
			b.rows.Requests = append(b.rows.Requests, *req)
		}
	}
	return b.tx.Write(ctx, b.org, &b.rows)
}

// markActions turns outcomes into the states of the run's actions.
func (b *batch) markActions(run *RunCause, outs []Outcome) {
	results := make([]ActionResult, 0, len(outs))
	for i, out := range outs {
		if i >= len(run.Actions) || run.Actions[i] == 0 {
			continue
		}
		res := ActionResult{N: run.Actions[i]}
		res.State, res.Note = out.Fate()
		results = append(results, res)
	}
	if len(results) > 0 {
		b.rows.Actions = map[string][]ActionResult{run.ID: results}
	}
}

// needs gathers what a batch must load before it decides.
type needs struct {
	memberIDs, userNames, emails []string
	teamIDs, externalIDs         []string
	pairs                        []Pair
	linkObjects                  map[linkKey]bool
	wholeTeams                   []string
	connections                  bool
}

func (n *needs) object(connection string, typ ObjectType, id string) {
	if n.linkObjects == nil {
		n.linkObjects = map[linkKey]bool{}
	}
	n.linkObjects[linkKey{connection, typ, id}] = true
	n.connections = true
}

func (n *needs) link(l *Link) {
	if l == nil {
		return
	}
	n.object(l.Connection, l.Type, l.ObjectID)
}

func (n *needs) attributes(a Attributes) {
	n.userNames = append(n.userNames, Fold(a.Get(AttrUserName)))
	if e := Fold(a.Email()); e != "" {
		n.emails = append(n.emails, e)
	}
}

func (n *needs) add(c Change) {
	switch c := c.(type) {
	case MemberCreate:
		n.connections = true
		n.attributes(c.Attributes)
		n.link(c.Link)
	case MemberEdit:
		n.memberIDs = append(n.memberIDs, c.ID)
	case MemberDelete:
		n.memberIDs = append(n.memberIDs, c.ID)
	case MemberPatch:
		n.memberIDs = append(n.memberIDs, c.ID)
		if v := c.Values[AttrUserName]; v != "" {
			n.userNames = append(n.userNames, Fold(v))
		}
		n.link(c.Link)
	case MemberPass:
		n.memberIDs = append(n.memberIDs, c.ID)
	case MemberInvite:
		n.userNames = append(n.userNames, Fold(c.Email))
		n.emails = append(n.emails, Fold(c.Email))
	case MemberSetStatus:
		n.memberIDs = append(n.memberIDs, c.ID)
	case MemberAdopt:
		n.connections = true
		n.memberIDs = append(n.memberIDs, c.ID)
	case LinkSet:
		n.link(&c.Link)
		if c.Link.Type == TypeMember {
			n.memberIDs = append(n.memberIDs, c.Link.TargetID)
		} else {
			n.teamIDs = append(n.teamIDs, c.Link.TargetID)
		}
	case LinkDrop:
		n.object(c.Connection, c.Type, c.ObjectID)
	default:
		n.addTeam(c)
	}
}

func (n *needs) addTeam(c Change) {
	switch c := c.(type) {
	case TeamCreate:
		n.connections = true
		if c.ExternalID != "" {
			n.externalIDs = append(n.externalIDs, c.ExternalID)
		}
		n.link(c.Link)
	case TeamEdit:
		n.teamIDs = append(n.teamIDs, c.ID)
		if c.ExternalID != nil && *c.ExternalID != "" {
			n.externalIDs = append(n.externalIDs, *c.ExternalID)
		}
		for _, ids := range [][]string{c.Add, c.Remove} {
			for _, id := range ids {
				n.pairs = append(n.pairs, Pair{c.ID, id})
			}
		}
		if c.Replace {
			n.wholeTeams = append(n.wholeTeams, c.ID)
		}
		n.link(c.Link)
	case TeamDelete:
		n.teamIDs = append(n.teamIDs, c.ID)
		n.link(c.Link)
	case TeamRestore:
		n.teamIDs = append(n.teamIDs, c.ID)
		if v := c.Values["externalId"]; v != "" {
			n.externalIDs = append(n.externalIDs, v)
		}
		n.link(c.Link)
	case MembershipSet:
		n.teamIDs = append(n.teamIDs, c.TeamID)
		n.memberIDs = append(n.memberIDs, c.MemberID)
		n.pairs = append(n.pairs, Pair{c.TeamID, c.MemberID})
	case ConnectionSync, ConnectionDetach, ConnectionRebind, ConnectionRename, ConnectionRelease, ConnectionPause, ConnectionResume, RunRequest, RunApprove, PushesJudged:
		n.connections = true
	case Exclude:
		n.addExclusion(c.Type, c.ID)
	case Include:
		n.addExclusion(c.Type, c.ID)
	}
}

// load reads and locks everything that the batch needs: teams, then members, then what hangs on them.
func (b *batch) load(ctx context.Context, n *needs) error {
	if len(n.teamIDs)+len(n.externalIDs) > 0 {
		if err := b.loadTeams(ctx, TeamSelect{IDs: distinct(n.teamIDs), ExternalIDs: distinct(n.externalIDs)}); err != nil {
			return err
		}
	}
	if len(n.memberIDs)+len(n.userNames)+len(n.emails) > 0 {
		sel := MemberSelect{IDs: distinct(n.memberIDs), UserNameKeys: distinct(n.userNames), EmailKeys: distinct(n.emails)}
		if err := b.loadMembers(ctx, sel); err != nil {
			return err
		}
	}
	if pairs := distinctPairs(n.pairs); len(pairs) > 0 {
		rows, err := b.tx.Memberships(ctx, b.org, pairs)
		if err != nil {
			return err
		}
		b.addMemberships(rows)
	}
	for _, team := range distinct(n.wholeTeams) {
		if err := b.loadWholeTeam(ctx, team); err != nil {
			return err
		}
	}
	if err := b.loadLinkObjects(ctx, n.linkObjects); err != nil {
		return err
	}
	if b.cause.By == ByPush { // one learns of them where it comes to need them
		return b.meet(ctx, b.cause.Connection != "" && b.cause.ConnectionName == "")
	}
	if n.connections || len(b.members)+len(b.teams) > 0 {
		return b.loadConnections(ctx)
	}
	return nil
}

func distinct(in []string) []string {
	out := append([]string(nil), in...)
	sort.Strings(out)
	n := 0
	for i, s := range out {
		if s != "" && (i == 0 || s != out[i-1]) {
			out[n] = s
			n++
		}
	}
	return out[:n]
}

func distinctPairs(in []Pair) []Pair {
	seen := make(map[Pair]bool, len(in))
	out := make([]Pair, 0, len(in))
	for _, p := range in {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}
