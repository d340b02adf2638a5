package okta

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// maxEach is how many findings of one sort are listed one by one; more are counted.
	maxEach = 20
	// maxNames is how many names a finding has.
	maxNames = 5
	maxWords = 300 // of what Okta says about an error
)

// judgeMappings tells the push mappings' own status (the user's document, Okta, "Groups not syncing as Teams").
func (d *diagnosis) judgeMappings() {
	var off, strange []string
	errors, read := 0, 0
	for _, m := range d.mappings {
		g := d.groups[m.SourceGroupID]
		name := m.SourceGroupID
		if g != nil {
			name, read = g.name, read+1
		}
		switch m.Status {
		case pushOn:
		case pushOff:
			off = append(off, name)
		case pushFailed:
			if errors++; errors <= maxEach {
				d.fail(checkedPush, pushError(name, m), "Applications > the application > Push Groups: click the error beside "+name+
					", mend what it says, and choose Push now; rosterd's own side of it is in: rosterd requests list --org ORG --path /Groups")
			}
		default:
			strange = append(strange, name+" ("+m.Status+")")
		}
	}
	if errors > maxEach {
		d.fail(checkedPush, fmt.Sprintf("the push of %d more groups failed", errors-maxEach), "See Push Groups for each")
	}
	if len(off) > 0 {
		d.warn(checkedPush, "switched off for "+some(off)+": what changes in "+them(off)+" is not pushed, and no run makes a team of "+them(off),
			"Push Groups: open the group's Push Status and choose Activate group push, or Unlink pushed group if it is not meant to be a team")
	}
	if len(strange) > 0 {
		d.warn(checkedPush, "a status that is not known: "+some(strange), "See Push Groups")
	}
	d.judgeGone()
	if good := len(d.order); errors == 0 && good > 0 {
		d.ok(checkedPush, count(good, "group is", "groups are")+" pushed, without an error")
	}
}

// judgeGone tells mappings of groups that Okta does not know. A group is only missing where all could be asked for.
func (d *diagnosis) judgeGone() {
	if len(d.mappings) == 0 {
		d.warn(checkedPush, "no group is pushed: there will be no teams", "Push Groups > Push Groups > Find groups by name, if teams are wanted")
		return
	}
	var gone []string
	for _, m := range d.mappings {
		if m.gone {
			gone = append(gone, m.SourceGroupID)
		}
	}
	if len(gone) > 0 {
		d.fail(checkedPush, "the mapping is there, but the group is not: "+some(gone), "Push Groups: take the mapping out (Unlink pushed group)")
	}
}

func pushError(name string, m *pushMapping) string {
	text := "the last push of " + name + " failed"
	if m.LastUpdated != nil {
		text += " (" + m.LastUpdated.UTC().Format(time.RFC3339) + ")"
	}
	if m.ErrorSummary == "" {
		return text + ", and Okta doesn't say why"
	}
	words := strings.Join(strings.Fields(strings.ToValidUTF8(m.ErrorSummary, "")), " ")
	if runes := []rune(words); len(runes) > maxWords {
		words = string(runes[:maxWords]) + "…"
	}
	return text + ": " + strings.TrimRight(words, ".")
}

// judgeGroups holds the pushed groups against the assigned ones, and both against who is an application user.
func (d *diagnosis) judgeGroups(ctx context.Context) error {
	var covered, uncovered []string // pushed and not assigned; without effect so far, and with
	for _, id := range d.order {
		g := d.groups[id]
		without := d.withoutAccount(g)
		_, assigned := d.assigned[id]
		switch {
		case len(without) > 0 && !assigned:
			uncovered = append(uncovered, g.name)
			if len(uncovered) <= maxEach {
				d.fail(checkedAssigned, fmt.Sprintf("%s is pushed, but not assigned: %s in it %s no application %s, and so not in the team: %s", g.name,
					count(len(without), "person", "people"), isAre(without), userUsers(without), some(without)),
					assignFix+". Okta may forget to push the memberships then: `rosterd diff` shows them, and a run adds them")
			}
		case len(without) > 0:
			d.fail(checkedAssigned, fmt.Sprintf("%s is assigned and pushed, but %s in it %s no application %s: %s", g.name,
				count(len(without), "person", "people"), isAre(without), userUsers(without), some(without)),
				"Dashboard > Tasks says why Okta could not assign them; retry them there")
		case !assigned:
			covered = append(covered, g.name)
		}
	}
	if n := len(uncovered) - maxEach; n > 0 {
		d.fail(checkedAssigned, fmt.Sprintf("%d more groups are pushed, but not assigned, and hold people without an account", n), assignFix)
	}
	if len(covered) > 0 {
		d.warn(checkedAssigned, some(covered)+isAreWord(covered)+" pushed, but not assigned: whoever is in "+them(covered)+
			" has the account by another assignment alone, and loses it with that one", assignFix)
	}
	d.judgeUnpushed()
	return d.judgeDirect(ctx)
}

// withoutAccount returns the logins of a group's people who are no application users.
func (d *diagnosis) withoutAccount(g *group) []string {
	var out []string
	for id, login := range g.members {
		if d.users[id] == nil {
			out = append(out, login)
		}
	}
	slices.Sort(out)
	return out
}

// judgeUnpushed tells the groups that are assigned, and of which there is no team.
func (d *diagnosis) judgeUnpushed() {
	var names []string
	for id, name := range d.assigned {
		if !slices.ContainsFunc(d.mappings, func(m *pushMapping) bool { return m.SourceGroupID == id && m.Status != pushOff }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	d.warn(checkedAssigned, some(names)+isAreWord(names)+" assigned, but not pushed: the people have accounts, and there is no team",
		"Push Groups > Push Groups > Find groups by name, if a team is wanted; a group that only gives access may stay as it is")
}

// judgeDirect tells who would lose the account with a direct assignment though they are in a pushed group.
func (d *diagnosis) judgeDirect(ctx context.Context) error {
	only := map[string]string{} // by user id: a pushed group that holds them
	for _, id := range d.order {
		for user := range d.groups[id].members {
			if u := d.users[user]; u != nil && u.direct && u.on && only[user] == "" {
				only[user] = d.groups[id].name
			}
		}
	}
	if len(only) == 0 {
		return nil
	}
	for id, name := range d.assigned { // who is in an assigned group keeps the account by that
		if d.groups[id] == nil {
			d.groups[id] = &group{name: name}
		}
		if d.groups[id].members == nil {
			if err := d.readMembers(ctx, id); err != nil {
				return err
			}
		}
		maps.DeleteFunc(only, func(user, _ string) bool { _, in := d.groups[id].members[user]; return in })
	}
	if len(only) == 0 {
		return nil
	}
	var names []string
	for user, pushed := range only {
		names = append(names, d.users[user].userName+" (in "+pushed+")")
	}
	slices.Sort(names)
	d.warn(checkedAssigned, fmt.Sprintf("%s in a pushed group, but assigned directly only: %s. Taking that assignment away takes the account, "+
		"whatever group is pushed: Push Groups assigns nobody", count(len(names), "person is", "people are"), some(names)), assignFix+
		"; then take the direct assignments away, if you like")
	return nil
}

// judgePeople looks at the application's users themselves.
func (d *diagnosis) judgePeople() {
	var failed, differ []string
	active := 0
	for _, u := range d.users {
		if u.failed {
			failed = append(failed, u.userName)
		}
		if !u.on {
			continue
		}
		active++
		if u.email != "" && !strings.EqualFold(u.userName, u.email) {
			differ = append(differ, u.userName)
		}
	}
	slices.Sort(failed)
	slices.Sort(differ)
	if len(failed) > 0 {
		d.fail(checkedSync, fmt.Sprintf("Okta could not push %s: %s", count(len(failed), "person", "people"), some(failed)),
			"Dashboard > Tasks says why; mend it and retry the task. Until then runs do what the push could not; `rosterd diff` shows it")
	}
	if len(differ) > 0 {
		d.warn(checkedSignIn, fmt.Sprintf("the userName of %s is another than their email in Okta: %s. A sign-in by OpenID Connect that names "+
			"them by email may not find the account", count(len(differ), "person", "people"), some(differ)),
			"Set Application username format to Email under Sign On, if people sign in by their email; see too that they are assigned to the "+
				"OpenID Connect application")
	}
	switch {
	case len(d.users) == 0:
		d.warn(checkedSync, "nobody is assigned to the application: there are no accounts", "Assignments > Assign > Assign to Groups")
	case len(failed) == 0:
		d.ok(checkedSync, count(active, "person has", "people have")+" an account, and no push of them failed")
	}
}

// some names the first few.
func some(names []string) string {
	if n := len(names) - maxNames; n > 0 {
		return strings.Join(names[:maxNames], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func them(names []string) string {
	if len(names) == 1 {
		return "it"
	}
	return "them"
}

func isAre(names []string) string {
	if len(names) == 1 {
		return "is"
	}
	return "are"
}

func isAreWord(names []string) string { return " " + isAre(names) }

func userUsers(names []string) string {
	if len(names) == 1 {
		return "user"
	}
	return "users"
}
