package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/go-liburing/liburing"
)

// ability is something that the kernel has or lacks.
type ability struct {
	Name      string `json:"name"`
	Number    uint32 `json:"number"`
	Supported bool   `json:"supported"`
}

// missing returns the names of the abilities that the kernel lacks.
func missing(all []ability) (names []string) {
	for _, a := range all {
		if !a.Supported {
			names = append(names, a.Name)
		}
	}
	return names
}

// checkAbilities lists what the kernel knows of what liburing knows.
func (d *diagnosis) checkAbilities() {
	if err := d.listAbilities(); err != nil {
		d.add(finding{Check: "abilities", Status: warn, Found: err.Error(),
			Means: "this kernel does not tell what it can do (5.6 and newer do)", Do: "use a kernel of 6.1 or newer if you can"})
		return
	}
	d.add(abilitiesFinding("features", d.Features))
	d.add(abilitiesFinding("opcodes", d.Opcodes))
	d.add(abilitiesFinding("register calls", d.Register))
}

func abilitiesFinding(check string, all []ability) finding {
	lacking := missing(all)
	f := finding{Check: check, Status: ok, Found: fmt.Sprintf("%d of %d", len(all)-len(lacking), len(all)),
		Means: "the kernel has all that this liburing knows"}
	if len(lacking) > 0 {
		f.Means = "programs have to do without, or check for: " + strings.Join(lacking, " ")
	}
	return f
}

func (d *diagnosis) listAbilities() error {
	runtime.LockOSThread() // the ring takes calls from one thread only
	defer runtime.UnlockOSThread()
	ring, err := ablestRing()
	if err != nil {
		return err
	}
	defer ring.Close()
	d.Features = features(ring.Features())
	probe, err := ring.GetProbe()
	if err != nil {
		return err
	}
	for op := range liburing.OpLast {
		d.Opcodes = append(d.Opcodes, ability{op.String(), uint32(op), probe.OpcodeSupported(op)})
	}
	d.Register, err = registerAbilities(ring)
	return err
}

// ablestRing sets a ring up with the flags that some register calls ask for,
// unless the kernel is older than these flags, and then than those calls.
func ablestRing() (*liburing.Ring, error) {
	const flags = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupCQE32
	if ring, err := liburing.QueueInit(2, flags); err == nil {
		return ring, nil
	}
	return liburing.New(2)
}

// features lists the features that liburing has a name for, and newer ones that
// the kernel has.
func features(has liburing.Features) (all []ability) {
	for bit := range uint32(32) {
		f := liburing.Features(1) << bit
		if f <= liburing.FeatNoIowait || has&f != 0 {
			all = append(all, ability{f.String(), bit, has&f != 0})
		}
	}
	return all
}
