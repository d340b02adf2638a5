package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// recheck asks the IdP whether an approved action still holds; it returns why it doesn't, or "". What can't be asked any
// more, since the looks are used up, rests on the versions that the commit compares.
func (w *worker) recheck(ctx context.Context, d *roster.Drift, lists map[string]map[string]bool) (string, error) {
	switch {
	case d.Subject.Type == roster.TypeMember && d.Subject.ObjectID != "" && d.Action != roster.ActUpdate:
		return w.recheckPerson(ctx, d)
	case d.Subject.ObjectID == "" && (d.Action == roster.ActDeactivate || d.Action == roster.ActDelete):
		return w.recheckUnlinked(ctx, d)
	case d.Subject.Type == roster.TypeTeam && d.Subject.ObjectID != "" && d.Action == roster.ActDelete:
		look, err := w.lookAtTeam(ctx, d.Subject.ObjectID)
		if err != nil || look == nil {
			return "", err
		}
		if look.InScope {
			return "it does not hold any more: the group is in scope now", nil
		}
	case d.Subject.Type == roster.TypeMembership && d.TeamObject != "" && d.MemberObject != "":
		if _, ok := lists[d.TeamObject]; !ok {
			holds, at, err := w.lookAtList(ctx, d.TeamObject)
			if err != nil || at == nil {
				return "", err
			}
			lists[d.TeamObject] = holds
		}
		if holds := lists[d.TeamObject][strings.ToLower(d.MemberObject)]; holds != (d.Action == roster.ActAdd) {
			return fmt.Sprintf("it does not hold any more: the group's list has them is %t now", holds), nil
		}
	}
	return "", nil
}

// recheckPerson looks once more at somebody who is to be made, or to lose or get back their access.
func (w *worker) recheckPerson(ctx context.Context, d *roster.Drift) (string, error) {
	look, err := w.lookAtPerson(ctx, d.Subject.ObjectID)
	if err != nil || look == nil {
		return "", err
	}
	if look.InScope && look.There != nil && look.There.Keep {
		return "it does not hold any more: what they are here is kept now", nil
	}
	on := look.InScope && look.There != nil && look.There.Enabled
	if d.Action == roster.ActDeactivate && look.Found && !look.InScope && look.There.Enabled {
		if err := w.readScope(ctx); err != nil || w.rules.KeepOutOfScope != "" {
			return w.rules.KeepOutOfScope, err
		}
	}
	if removes := d.Action == roster.ActDeactivate; on == removes {
		return fmt.Sprintf("it does not hold any more: in scope and enabled there is %t now", on), nil
	}
	return "", nil
}

// recheckUnlinked looks up once more what was to be removed because nothing there had its name.
func (w *worker) recheckUnlinked(ctx context.Context, d *roster.Drift) (string, error) {
	one := w.look()
	if one == nil {
		return "", nil
	}
	var found bool
	if d.Subject.Type == roster.TypeTeam {
		groups, err := one.FindGroups(ctx, d.Subject.Name)
		if err != nil {
			return "", err
		}
		found = len(w.named(groups, d.Subject.Name)) > 0
	} else {
		members, err := w.cfg.Store.FindMembers(ctx, w.run.Org, d.Subject.ID)
		i := slices.IndexFunc(members, func(m roster.Member) bool { return m.ID == d.Subject.ID })
		if err != nil || i < 0 {
			return "", err
		}
		users, err := w.findUsers(ctx, one, &members[i])
		if err != nil {
			return "", err
		}
		found = len(users) > 0
	}
	if found {
		return "it does not hold any more: the IdP has it now", nil
	}
	return "", nil
}
