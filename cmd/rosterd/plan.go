package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
)

// plan prints a run: one line for each action, then totals, what is held and what was not read.
type plan struct{ coloured bool }

// maxSubject is how wide the column of subjects may become; a longer name pushes its own line only.
const maxSubject = 32

// The signs of a line.
const (
	signAdd     = '+'
	signChange  = '~'
	signRemove  = '-'
	signTrouble = '!'
	signNone    = '='
)

func sign(a client.Action) rune {
	switch a.Action {
	case "create", "add", "grant", "restore", "reactivate":
		return signAdd
	case "update":
		return signChange
	case "deactivate", "delete", "remove", "revoke":
		return signRemove
	}
	if a.Kind == "conflict" || a.State == "held" || a.Note != "" {
		return signTrouble
	}
	return signNone
}

func (p plan) paint(s rune, text string) string {
	colour := map[rune]string{signAdd: "32", signChange: "33", signRemove: "31", signTrouble: "35", signNone: "2"}[s]
	if !p.coloured || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p plan) text(r client.Run) string {
	var b strings.Builder
	fmt.Fprintln(&b, heading(r))
	personBlock(&b, r.Person)
	if len(r.Actions) > 0 {
		b.WriteByte('\n')
		p.lines(&b, r.Actions)
	}
	b.WriteByte('\n')
	summary(&b, r)
	held(&b, r)
	if r.Note != "" {
		fill(&b, "Note: ", oneLine(r.Note))
	}
	if len(r.Incomplete) > 0 {
		b.WriteString("Not read whole:\n")
		for _, list := range r.Incomplete {
			fmt.Fprintf(&b, "  %s\n", oneLine(list))
		}
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "Error: %s\n", oneLine(r.Error))
	}
	if took := took(r); took != "" {
		fmt.Fprintf(&b, "Took: %s.\n", took)
	}
	return b.String()
}

func heading(r client.Run) string {
	mode := r.Mode
	switch mode {
	case "dry":
		mode = "dry run"
	case "one":
		mode = "one person"
	}
	text := fmt.Sprintf("Run %s of %s (%s): %s", r.Run, orDash(r.Connection), mode, r.State)
	if r.Finished() && r.State != "failed" && r.State != "cancelled" && !r.Complete && r.Person == nil { // of a person, the note says what
		text += ", not everything was read"
	}
	return oneLine(text)
}

func (p plan) lines(b *strings.Builder, actions []client.Action) {
	subject, kind := 0, 0
	for i := range actions {
		subject = max(subject, min(utf8.RuneCountInString(subjectName(actions[i].Subject)), maxSubject))
		kind = max(kind, len(actions[i].Kind))
	}
	for i := range actions {
		a := &actions[i]
		s := sign(*a)
		line := fmt.Sprintf("%s  %s  %s", padded(subjectName(a.Subject), subject), padded(a.Kind, kind), oneLine(a.Reason))
		fmt.Fprintf(b, "  %s %s\n", p.paint(s, string(s)), strings.TrimRight(line, " ")+aside(a))
	}
}

// aside says what became of an action that was not simply planned or applied.
func aside(a *client.Action) string {
	state := ""
	switch a.State {
	case "held", "approved", "skipped", "refused":
		state = a.State
	}
	text := strings.Trim(state+": "+oneLine(a.Note), ": ")
	if text == "" {
		return ""
	}
	return " [" + text + "]"
}

func subjectName(s client.Subject) string {
	switch {
	case s.Name != "":
		return oneLine(s.Name)
	case s.ObjectID != "":
		return oneLine(s.ObjectID)
	}
	return orDash(deref(s.ID))
}

func oneLine(text string) string { return strings.Join(strings.Fields(printable(text)), " ") }

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// summary writes the totals, by what the actions do, by kind, and by what became of them.
func summary(b *strings.Builder, r client.Run) {
	bySign, byState := map[rune]int{}, map[string]int{}
	for i := range r.Actions {
		bySign[sign(r.Actions[i])]++
		byState[r.Actions[i].State]++
	}
	fmt.Fprintln(b, headline(r, bySign))
	if kinds := totals(r.Totals); kinds != "" {
		fmt.Fprintf(b, "By kind: %s.\n", kinds)
	}
	if r.Mode == "dry" {
		return
	}
	var became []string
	for _, state := range []string{"applied", "held", "approved", "skipped", "refused"} {
		if byState[state] > 0 {
			became = append(became, fmt.Sprintf("%d %s", byState[state], state))
		}
	}
	if len(became) > 0 {
		fmt.Fprintf(b, "So far: %s.\n", strings.Join(became, ", "))
	}
}

func headline(r client.Run, bySign map[rune]int) string {
	listed := nothingToDo(r.Actions)
	switch {
	case r.PlanDropped:
		return fmt.Sprintf("It found %s. The plan itself is too old to be kept (`history: actions` in the configuration).",
			count(driftOf(r), "difference", "differences"))
	case bySign[signAdd]+bySign[signChange]+bySign[signRemove] > 0:
		return fmt.Sprintf("Plan: %d to add, %d to change, %d to remove.%s",
			bySign[signAdd], bySign[signChange], bySign[signRemove], listed)
	case driftOf(r) > 0:
		return fmt.Sprintf("Plan: %s.%s", count(driftOf(r), "action", "actions"), listed)
	case !r.Finished():
		return "No plan yet."
	case r.State == "failed" || r.State == "cancelled":
		return "No plan was made." + listed
	case !r.Complete:
		return "No drift found in what was read." + listed
	case r.Person != nil:
		return "No drift: this person is as the identity provider has them." + listed
	}
	return "No drift: members and teams are as the identity provider has them." + listed
}

// nothingToDo counts what is listed only: conflicts, what another run's held plan covers, and what is just reported.
func nothingToDo(actions []client.Action) string {
	var conflicts, elsewhere, reported int
	for i := range actions {
		switch a := &actions[i]; {
		case a.Action != "none":
		case a.Kind == "conflict":
			conflicts++
		case sign(*a) == signTrouble:
			elsewhere++
		default:
			reported++
		}
	}
	var parts []string
	if conflicts > 0 {
		parts = append(parts, count(conflicts, "conflict", "conflicts"))
	}
	if elsewhere > 0 {
		parts = append(parts, fmt.Sprintf("%d held elsewhere", elsewhere))
	}
	if reported > 0 {
		parts = append(parts, fmt.Sprintf("%d reported only", reported))
	}
	if len(parts) == 0 {
		return ""
	}
	return " Listed without an action: " + strings.Join(parts, ", ") + "."
}

func held(b *strings.Builder, r client.Run) {
	if len(r.Held) == 0 {
		return
	}
	if r.Mode == "dry" {
		b.WriteString("A run would hold for approval:\n")
	} else {
		b.WriteString("Held for approval:\n")
	}
	for _, limit := range r.Held {
		text := limit.Text
		if text == "" {
			text = fmt.Sprintf("%s: %d of %d", limit.Limit, limit.Actions, limit.Of)
		}
		fmt.Fprintf(b, "  %s\n", oneLine(text))
	}
	if r.Mode == "dry" || r.State != "held" {
		return
	}
	kinds := []string{}
	for i := range r.Actions {
		if a := &r.Actions[i]; a.State == "held" && !slices.Contains(kinds, a.Kind) {
			kinds = append(kinds, a.Kind)
		}
	}
	fmt.Fprintf(b, "Approve: rosterd runs approve %s\n", r.Run)
	if len(kinds) > 1 {
		fmt.Fprintf(b, "A part:  rosterd runs approve %s --only %s\n", r.Run, kinds[0])
	}
	fmt.Fprintf(b, "Drop:    rosterd runs cancel %s\n", r.Run)
}
