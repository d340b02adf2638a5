package main

import (
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/rosterd/rosterd/internal/api/client"
)

const (
	// usualWidth is that of a terminal which doesn't say how wide it is.
	usualWidth = 80
	widestBar  = 24
	// narrowestBar is what a bar needs to say anything; where there is less room, the figures have it.
	narrowestBar = 6
)

// width is how many columns a line on standard error may have: one less than there are, so that it never wraps.
func (p *program) width() int {
	if file, ok := p.stderr.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 1 {
			return int(size.Col) - 1
		}
	}
	if text, _ := p.env("COLUMNS"); text != "" {
		if n, err := strconv.Atoi(text); err == nil && n > 1 {
			return n - 1
		}
	}
	return usualWidth - 1
}

// withBar puts a bar in front of a line, as wide as the line leaves room for. It has no colour, so that there is none to
// switch off; share is below 0 where how much there is to do isn't known.
func withBar(line string, share float64, width int) string {
	room := min(widestBar, width-utf8.RuneCountInString(line)-len("[] "))
	if share < 0 || room < narrowestBar {
		return line
	}
	full := min(room, int(share*float64(room)))
	bar := strings.Repeat("=", full)
	if full < room {
		bar += ">" + strings.Repeat(" ", room-full-1)
	}
	return "[" + bar + "] " + line
}

// share is how much of its phase a run has done, 0 to 1; below 0: that isn't known.
func (f *follower) share(i int) float64 {
	r := &f.runs[i]
	if r.Finished() || r.Progress == nil {
		return -1
	}
	return shareOf(r.Progress, f.plannedOf(i))
}

func shareOf(p *client.Progress, planned int) float64 {
	done, total := 0, 0
	switch p.Phase {
	case "pull":
		done, total = p.Objects, p.Total
		if p.TotalIsEstimate && done >= total { // the end says when it is all
			done = total * 99 / 100
		}
	case "plan":
		done, total = p.Compared, p.Objects
	case "apply":
		done, total = p.Applied, planned
	}
	if total <= 0 {
		return -1
	}
	return min(1, float64(done)/float64(total))
}

// plannedOf is how many actions a run applies, where its stream has told; 0: not known.
func (f *follower) plannedOf(i int) int {
	if !f.streams[i].open {
		return 0
	}
	return f.told[i].Planned
}

// planned says how many actions there are to apply, after how many were.
func (f *follower) planned(i int) string {
	r := &f.runs[i]
	n := f.plannedOf(i)
	if n == 0 || r.Finished() || r.Progress == nil || r.Progress.Phase != "apply" || r.Progress.Applied == 0 {
		return ""
	}
	return " of " + strconv.Itoa(n)
}
