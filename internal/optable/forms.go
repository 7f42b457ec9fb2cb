package optable

import "strings"

// Forms tell which form a Prep method has for the Loop: its name without Prep,
// but for those listed here.
type Forms struct {
	None    map[string]string // Prep methods without a form, and why
	Renamed map[string]string // Prep methods whose form has another name
}

// LoopForms are those of the package.
var LoopForms = Forms{
	None: map[string]string{
		"PrepRW":          "takes an address, which nothing keeps alive",
		"PrepSendSetAddr": "changes a request that was prepared",
	},
	Renamed: map[string]string{ // the Loop needs the name for itself
		"PrepClose":    "CloseFD",
		"PrepCancel64": "Cancel",
	},
}

// Name returns the Loop's form of a Prep method; ok is false for one that has
// none on purpose.
func (f Forms) Name(prep string) (name string, ok bool) {
	if f.None[prep] != "" {
		return "", false
	}
	if name := f.Renamed[prep]; name != "" {
		return name, true
	}
	return strings.TrimPrefix(prep, "Prep"), true
}
