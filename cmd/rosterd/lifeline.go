package main

import (
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
)

// lifelineLine tells that runs take the place of pushes.
func lifelineLine(line func(label, text string), l *client.Lifeline) {
	if l != nil {
		line("lifeline", "since "+shortTime(l.Since)+" runs take the place of pushes: "+l.Reason)
	}
}

// lifelineHistory lists when runs took the place of pushes before.
func lifelineHistory(line func(label, text string), all []client.Lifeline) {
	label := "lifelines"
	for i := range all {
		l := &all[i]
		if l.Until == nil { // said above
			continue
		}
		line(label, shortTime(l.Since)+" to "+shortTime(*l.Until)+": "+l.Reason+"; "+l.Ended)
		label = ""
	}
}

// blackoutLine tells that a window holds in which no run starts by itself, and with whole also when the next one begins.
func blackoutLine(line func(label, text string), b *client.Blackout, whole bool) {
	if b == nil || !b.Now && !whole {
		return
	}
	var parts []string
	if whole {
		parts = append(parts, strings.Join(b.Windows, ", ")+" ("+b.TimeZone+")")
	}
	switch {
	case b.Now && b.Until == nil:
		parts = append(parts, "no run starts by itself: the windows leave no time for one")
	case b.Now:
		parts = append(parts, "no run starts by itself until "+fullTime(*b.Until))
	}
	if whole && b.Next != nil {
		next := "the next one begins " + fullTime(*b.Next)
		if b.NextUntil != nil {
			next += " and ends " + fullTime(*b.NextUntil)
		}
		parts = append(parts, next)
	}
	line("blackout", strings.Join(parts, "; "))
}
