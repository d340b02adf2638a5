package idpsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// entraControl is what the control surface does to an Entra tenant.
type entraControl struct {
	*Tenant
	pusher *Pusher
}

func (c *entraControl) rules() *faults { return &c.faults }

func (c *entraControl) about() object {
	out := object{
		"kind": "entra", "seed": c.cfg.Seed, "tenant_id": c.cfg.TenantID, "client_id": c.cfg.ClientID,
		"client_secret": c.cfg.ClientSecret, "access_token": c.cfg.AccessToken,
		"service_principal_id": c.cfg.ServicePrincipalID, "app_id": c.appID, "job_id": c.jobID,
	}
	c.view(0, func(d *directory) {
		out["users"], out["groups"], out["assignments"] = len(d.userIDs.ids), len(d.groupIDs.ids), len(d.assigIDs.ids)
	})
	return out
}

func (c *entraControl) wanted() ([]Wanted, []Team) {
	people := c.Desired()
	out := make([]Wanted, 0, len(people))
	for _, p := range people {
		out = append(out, Wanted{
			ID: p.ObjectID, UserName: p.UserPrincipalName, Email: p.Mail, DisplayName: p.DisplayName, GivenName: p.GivenName,
			FamilyName: p.Surname,
		})
	}
	return out, c.DesiredTeams()
}

func (c *entraControl) why(key string) (Verdict, error) {
	u, ok := c.User(key)
	if !ok {
		return Verdict{}, fmt.Errorf("user %q: %w", key, ErrNotFound)
	}
	through := append([]string{}, c.Scope(u.ObjectID)...)
	return Verdict{ID: u.ObjectID, Desired: len(through) > 0 && !u.Disabled, Enabled: !u.Disabled, Through: through}, nil
}

// dump copies what the directory points to, which is replaced and never altered, and writes it without the lock.
func (c *entraControl) dump(w *jsonStream) error {
	type team struct {
		group   *Group
		members []string
	}
	var users []*User
	var gone []*deletedUser
	var groups []team
	var assigned []*Assignment
	version := 0
	c.view(0, func(d *directory) {
		version = d.version
		for _, id := range d.userIDs.ids {
			users = append(users, d.users[id])
		}
		for _, id := range d.goneIDs.ids {
			gone = append(gone, d.deleted[id])
		}
		for _, id := range d.groupIDs.ids {
			groups = append(groups, team{d.groups[id], slices.Clone(d.members[id].all())})
		}
		for _, id := range d.assigIDs.ids {
			assigned = append(assigned, d.assigned[id])
		}
	})
	w.field("version", version)
	streamEach(w, "users", len(users), func(i int) any { return renderUser(users[i]) })
	streamEach(w, "deleted", len(gone), func(i int) any { return renderDeleted(gone[i]) })
	streamEach(w, "groups", len(groups), func(i int) any {
		out := renderGroup(groups[i].group)
		out["members"] = append([]string{}, groups[i].members...)
		return out
	})
	streamEach(w, "assignments", len(assigned), func(i int) any {
		return object{"id": assigned[i].ID, "principalId": assigned[i].PrincipalID, "createdDateTime": stamp(assigned[i].Created)}
	})
	return w.err
}

func (c *entraControl) person(key string) (string, bool) {
	u, ok := c.User(key)
	if ok {
		return u.ObjectID, true
	}
	id := ""
	c.view(0, func(d *directory) { // somebody soft-deleted: by id, or by the user name that they had
		for gone, g := range d.deleted {
			if gone == key || fold(g.user.UserPrincipalName) == fold(key) {
				id = max(id, gone)
			}
		}
	})
	return id, id != ""
}

func (c *entraControl) team(key string) (string, bool) {
	g, ok := c.Group(key)
	return g.ObjectID, ok
}

// principals are the people or the group that a mutation names.
func (c *entraControl) principals(m Mutation) ([]string, error) {
	if m.Group != "" {
		return found("group", []string{m.Group}, c.team)
	}
	return found("user", m.people(), c.person)
}

func (c *entraControl) mutate(m Mutation) (string, error) {
	switch m.Op {
	case "add_user":
		var u User
		if err := setUser(&u, m.Set); err != nil {
			return "", err
		}
		u, err := c.AddUser(u)
		return u.ObjectID, err
	case "add_group":
		g, err := c.AddGroup(Group{DisplayName: m.Name})
		return g.ObjectID, err
	case "assign", "unassign", "rename":
		return c.mutateEither(m)
	case "join", "leave", "delete_group":
		return c.mutateGroup(m)
	}
	do := map[string]func(id string) error{
		"disable": c.DisableUser, "enable": c.EnableUser, "delete": c.DeleteUser, "restore": c.RestoreUser, "purge": c.PurgeUser,
		"update_user": func(id string) error { return c.update(id, m.Set) },
	}[m.Op]
	if do == nil {
		return "", m.unknown()
	}
	ids, err := found("user", m.people(), c.person)
	if err != nil {
		return "", err
	}
	return ids[0], forEach(ids, do)
}

// mutateEither carries out what can happen to a person or a group.
func (c *entraControl) mutateEither(m Mutation) (string, error) {
	ids, err := c.principals(m)
	if err != nil {
		return "", err
	}
	switch {
	case m.Op == "assign":
		return ids[0], c.Assign(ids...)
	case m.Op == "unassign":
		return ids[0], c.Unassign(ids...)
	case m.Name == "":
		return "", fmt.Errorf("%w: rename wants a name", errOrder)
	case m.Group != "":
		return ids[0], c.RenameGroup(ids[0], m.Name)
	}
	return ids[0], c.update(ids[0], map[string]string{"userPrincipalName": m.Name})
}

func (c *entraControl) mutateGroup(m Mutation) (string, error) {
	groups, err := found("group", []string{m.Group}, c.team)
	if err != nil {
		return "", err
	}
	if m.Op == "delete_group" {
		return groups[0], c.DeleteGroup(groups[0])
	}
	ids, err := found("user", m.people(), func(key string) (string, bool) {
		if id, ok := c.person(key); ok {
			return id, true
		}
		return c.team(key) // a nested group
	})
	if err != nil {
		return "", err
	}
	if m.Op == "join" {
		return ids[0], c.AddToGroup(groups[0], ids...)
	}
	return ids[0], c.RemoveFromGroup(groups[0], ids...)
}

// update changes a person's properties.
func (c *entraControl) update(id string, set map[string]string) error {
	var refused error
	err := c.UpdateUser(id, func(u *User) { refused = setUser(u, set) })
	return errors.Join(err, refused)
}

// setUser sets properties under Graph's names.
func setUser(into *User, set map[string]string) error {
	u, enabled := *into, "true"
	if u.Disabled {
		enabled = "false"
	}
	err := applyProperties(set, map[string]*string{
		"id": &u.ObjectID, "userPrincipalName": &u.UserPrincipalName, "mail": &u.Mail, "mailNickname": &u.MailNickname,
		"displayName": &u.DisplayName, "givenName": &u.GivenName, "surname": &u.Surname, "jobTitle": &u.JobTitle,
		"department": &u.Department, "accountEnabled": &enabled,
	})
	if err == nil && enabled != "true" && enabled != "false" {
		err = fmt.Errorf("accountEnabled %q: %w: want true or false", enabled, errOrder)
	}
	if err == nil && !strings.Contains(u.UserPrincipalName, "@") {
		err = fmt.Errorf("userPrincipalName %q: %w: want name@domain", u.UserPrincipalName, errOrder)
	}
	if err != nil {
		return err
	}
	u.Disabled = enabled == "false"
	*into = u
	return nil
}

func (c *entraControl) push(ctx context.Context, o PushOrder) (any, error) {
	if c.pusher == nil {
		return nil, errNoPusher
	}
	switch {
	case len(o.Miss) > 0:
		c.pusher.Miss(o.Miss...)
		return nil, nil
	case o.Quarantine != "":
		c.pusher.Quarantine(QuarantineReason(o.Quarantine))
		return nil, nil
	case o.Lift:
		c.pusher.LiftQuarantine()
		return nil, nil
	case o.Initial:
		return pushed(c.pusher.InitialCycle(ctx))
	}
	return pushed(c.pusher.Cycle(ctx))
}
