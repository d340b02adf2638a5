package syncer

import (
	"context"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// planPage is how many candidates are judged at a time: memory stays flat with the size of the tenant.
const planPage = 1000

// plan judges every candidate and writes the run's actions.
func (w *worker) plan(ctx context.Context, stage *store.Stage) error {
	w.note(func(r *roster.Run) { r.Phase, r.Compared = "plan", 0 })
	now, err := w.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	if w.names, err = w.connectionNames(ctx); err != nil {
		return err
	}
	w.rules.Connection, w.rules.Name, w.rules.Source = w.conn.ID, w.conn.Name, w.source.Evidence
	w.rules.Now, w.rules.ReadAt, w.rules.Settle = now, w.run.StartedAt, w.conn.Settle
	w.rules.Match = w.source.Match
	w.rules.Managed, w.rules.AdoptLocal, w.rules.Policy = w.conn.Managed, w.conn.AdoptLocal, w.source.Policy
	if w.rules.Excluded, err = w.excluded(ctx); err != nil {
		return err
	}
	if w.run.Mode == roster.ModeDelta {
		return w.planChanges(ctx, stage)
	}
	if err := w.planMembers(ctx, stage, stage.Members, stage.SilentMembers); err != nil {
		return err
	}
	w.compared(w.pulled.people)
	if err := w.planUnlinkedMembers(ctx, stage); err != nil {
		return err
	}
	teams := []teamReader{stage.Teams, stage.SilentTeams}
	if list, _ := w.pulled.teams(); !list.Refused || len(w.pulled.groups) > 0 { // else no group is looked at, and teams stay
		teams = append(teams, stage.UnlinkedTeams)
	}
	if err := w.planTeams(ctx, stage, teams...); err != nil {
		return err
	}
	if err := w.planMemberships(ctx, stage, membershipReader{read: stage.MissingMemberships}, membershipReader{read: stage.ExtraMemberships, byOurs: true}); err != nil {
		return err
	}
	return w.listAwaited(ctx, stage)
}

// listAwaited lists whom pushes named as members and who are not here, in the connection's teams. Deltas, which are
// frequent, leave that to the runs that read everything.
func (w *worker) listAwaited(ctx context.Context, stage *store.Stage) error {
	for team, value := "", ""; ; {
		refs, err := stage.Awaited(ctx, team, value, planPage)
		if err != nil {
			return err
		}
		last := len(refs) < planPage
		if !last {
			team, value = refs[planPage-1].TeamID, refs[planPage-1].Value
		}
		if refs, err = stage.StillAwaited(ctx, refs); err != nil {
			return err
		}
		var p page
		for _, ref := range refs {
			w.take(&p, roster.TypeTeam, "", w.rules.Awaited(ref))
		}
		if err := w.write(ctx, stage, &p); err != nil || last {
			return err
		}
	}
}

// connectionNames puts connections' names in the place of their ids, which is what the planner knows them by.
func (w *worker) connectionNames(ctx context.Context) (*strings.Replacer, error) {
	all, err := w.cfg.Store.Connections(ctx, w.run.Org)
	if err != nil {
		return nil, err
	}
	var pairs []string
	for i := range all {
		pairs = append(pairs, all[i].ID, all[i].Name)
	}
	return strings.NewReplacer(pairs...), nil
}

// page gathers what a page of decisions comes to.
type page struct {
	judged  int
	actions []roster.RunAction
	links   []store.PlannedLink
}

// take adds a decision to a page: what was found of an object, whose IdP's id may be unknown.
func (w *worker) take(p *page, typ roster.ObjectType, object string, d reconcile.Decision) {
	if d.Again != "" {
		w.unsettledYet(typ, object, d.Again)
	}
	w.newcomer(typ, object, &d)
	p.judged++
	for _, drift := range d.Drifts {
		w.next++
		drift.Reason = w.names.Replace(drift.Reason)
		a := roster.RunAction{Run: w.run.ID, N: w.next, Phase: reconcile.Phase(drift), Drift: drift, State: roster.ActionPlanned}
		if drift.Action == roster.ActNone {
			a.State = roster.ActionListed
		}
		if drift.Again || drift.Kind == roster.ConflictKind {
			a.Note = store.NoteAgain
		}
		w.pulled.waiting = w.pulled.waiting || drift.AlwaysHeld != "" || drift.Waits != ""
		w.counts.Add(drift)
		p.actions = append(p.actions, a)
	}
	if d.Link == nil && d.Pass == "" {
		return
	}
	l := store.PlannedLink{Change: string(d.LinkChange), Reason: d.LinkReason, Claim: d.Claim, Pass: d.Pass != "", Store: d.Link != nil}
	if d.Link != nil {
		l.Link = *d.Link
	}
	if l.Pass && len(d.Drifts) > 0 {
		l.AsOf = d.Drifts[0].Version
		if d.Link == nil {
			l.Link = roster.Link{Type: roster.TypeMember, ObjectID: d.Drifts[0].Subject.ObjectID, TargetID: d.Drifts[0].Subject.ID}
		}
	}
	if d.LinkChange == reconcile.LinkMade && l.Link.Type == roster.TypeMember {
		w.pulled.linked++
	}
	p.links = append(p.links, l)
}

func (w *worker) write(ctx context.Context, stage *store.Stage, p *page) error {
	if err := stage.PutLinks(ctx, p.links); err != nil {
		return err
	}
	if err := w.annotated(ctx, p.actions); err != nil {
		return err
	}
	if err := w.cfg.Store.AddActions(ctx, w.run, p.actions); err != nil {
		return err
	}
	w.note(func(r *roster.Run) { r.Compared += p.judged })
	return nil
}

// compared shows that everything read of some kinds is dealt with: most objects agree, and are no candidates.
func (w *worker) compared(objects int) {
	w.note(func(r *roster.Run) { r.Compared = max(r.Compared, objects) })
}

type memberReader = func(ctx context.Context, after string, limit int) ([]roster.MemberCandidate, error)

func (w *worker) planMembers(ctx context.Context, stage *store.Stage, readers ...memberReader) error {
	for _, read := range readers {
		for after := ""; ; {
			cands, err := read(ctx, after, planPage)
			if err != nil {
				return err
			}
			var p page
			err = w.judgeMembers(ctx, cands, func(c *roster.MemberCandidate, d reconcile.Decision) error {
				w.take(&p, roster.TypeMember, c.ObjectID, d)
				return nil
			})
			if err != nil {
				return err
			}
			if err := w.write(ctx, stage, &p); err != nil {
				return err
			}
			if len(cands) < planPage {
				break
			}
			after = cands[len(cands)-1].ObjectID
		}
	}
	return nil
}

// judgeMembers judges a page of people, with a second look where the rules ask for one. Whom they ask it for is known
// before the first look, so that several are made at once.
func (w *worker) judgeMembers(ctx context.Context, cands []roster.MemberCandidate,
	each func(*roster.MemberCandidate, reconcile.Decision) error) error {
	decisions := make([]reconcile.Decision, len(cands))
	var looks []string
	for i := range cands {
		cands[i].SilenceStamp = int64(w.pulled.silentSince())
		if decisions[i] = w.rules.Member(cands[i]); decisions[i].Look {
			looks = append(looks, cands[i].ObjectID)
		}
	}
	w.expect(looks)
	for i := range cands {
		d := decisions[i]
		if d.Look {
			var err error
			if d, err = w.lookAgain(ctx, &cands[i], d); err != nil {
				return err
			}
		}
		if err := each(&cands[i], d); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain judges one person anew after a second look, or leaves the decision as it is where none can be made.
func (w *worker) lookAgain(ctx context.Context, c *roster.MemberCandidate, d reconcile.Decision) (reconcile.Decision, error) {
	look, err := w.lookAtPerson(ctx, c.ObjectID)
	if err != nil || look == nil {
		return d, w.missed(ctx, "a second look at "+c.ObjectID, err)
	}
	c.Look = look
	return w.rules.Member(*c), nil
}

// planUnlinkedMembers looks up, by their match keys, the members that no link points to.
func (w *worker) planUnlinkedMembers(ctx context.Context, stage *store.Stage) error {
	if !w.rules.AllWhole && !w.looksLeft() {
		return nil
	}
	for after := ""; ; {
		cands, err := stage.UnlinkedMembers(ctx, after, planPage)
		if err != nil {
			return err
		}
		var p page
		for i := range cands {
			c := &cands[i]
			after = c.Here.ID
			c.SilenceStamp = int64(w.pulled.silentSince())
			d := w.rules.Member(*c)
			if d.Look {
				found, err := w.lookUpMember(ctx, stage, c)
				if err != nil {
					return err
				}
				if found {
					d = w.rules.Member(*c)
				}
			}
			w.take(&p, roster.TypeMember, c.ObjectID, d)
		}
		if err := w.write(ctx, stage, &p); err != nil {
			return err
		}
		if len(cands) < planPage {
			return nil
		}
	}
}

type teamReader = func(ctx context.Context, after string, limit int) ([]roster.TeamCandidate, error)

func (w *worker) planTeams(ctx context.Context, stage *store.Stage, readers ...teamReader) error {
	for _, read := range readers {
		for after := ""; ; {
			cands, err := read(ctx, after, planPage)
			if err != nil {
				return err
			}
			var p page
			for i := range cands {
				c := &cands[i]
				if after = c.ObjectID; after == "" {
					after = c.Here.ID
				}
				d, err := w.judgeTeam(ctx, stage, c)
				if err != nil {
					return err
				}
				w.take(&p, roster.TypeTeam, c.ObjectID, d)
			}
			if err := w.write(ctx, stage, &p); err != nil {
				return err
			}
			if len(cands) < planPage {
				break
			}
		}
	}
	return nil
}

func (w *worker) judgeTeam(ctx context.Context, stage *store.Stage, c *roster.TeamCandidate) (reconcile.Decision, error) {
	list, _ := w.pulled.teams()
	c.SilenceStamp = int64(list.Began)
	d := w.rules.Team(*c)
	if !d.Look {
		return d, nil
	}
	var err error
	if c.ObjectID == "" {
		err = w.lookUpTeam(ctx, stage, c)
	} else {
		c.Look, err = w.lookAtTeam(ctx, c.ObjectID)
	}
	if err != nil || c.Look == nil {
		return d, w.missed(ctx, "a second look at a group", err)
	}
	return w.rules.Team(*c), nil
}

// membershipReader reads pages of memberships by the group's object id and the person's, or by our id of the member.
type membershipReader struct {
	read   func(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error)
	byOurs bool
}

// planMemberships judges the memberships that exist on one side only.
func (w *worker) planMemberships(ctx context.Context, stage *store.Stage, readers ...membershipReader) error {
	lists := map[string]map[string]bool{} // group lists that were read again
	stamps := map[string]*roster.MembershipCandidate{}
	for _, r := range readers {
		for team, member := "", ""; ; {
			cands, err := r.read(ctx, team, member, planPage)
			if err != nil {
				return err
			}
			var p page
			for j := range cands {
				c := &cands[j]
				if team, member = c.TeamObject, c.MemberObject; r.byOurs {
					member = c.MemberID
				}
				d, err := w.judgeMembership(ctx, c, lists, stamps)
				if err != nil {
					return err
				}
				for k := range d.Drifts {
					d.Drifts[k].Subject.ObjectID = store.MembershipKey(c.TeamObject, c.MemberObject)
				}
				w.take(&p, roster.TypeTeam, c.TeamObject, d)
			}
			if err := w.write(ctx, stage, &p); err != nil {
				return err
			}
			if len(cands) < planPage {
				break
			}
		}
	}
	return nil
}

// judgeMembership judges one membership; a list is read again once for all memberships of it that ask for it.
func (w *worker) judgeMembership(ctx context.Context, c *roster.MembershipCandidate, lists map[string]map[string]bool,
	stamps map[string]*roster.MembershipCandidate) (reconcile.Decision, error) {
	list, _ := w.pulled.list(connectors.Members, c.TeamObject)
	c.ListWhole = list.Whole
	if !c.There && !c.Left {
		c.Stamp = int64(list.Began)
	}
	d := w.rules.Membership(*c)
	if !d.Look {
		return d, nil
	}
	if stamps[c.TeamObject] == nil {
		again, at, err := w.lookAtList(ctx, c.TeamObject)
		if err != nil || at == nil {
			return d, w.missed(ctx, "a second look at a group's list", err)
		}
		lists[c.TeamObject], stamps[c.TeamObject] = again, at
	}
	holds := lists[c.TeamObject][strings.ToLower(c.MemberObject)]
	c.Look, c.LookStamp, c.LookAt = &holds, stamps[c.TeamObject].LookStamp, stamps[c.TeamObject].LookAt
	return w.rules.Membership(*c), nil
}
