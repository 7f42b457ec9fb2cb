package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-liburing/liburing"
)

// checkSupport lists what the kernel knows of what liburing knows.
func (d *Diagnosis) checkSupport() {
	if err := d.listSupport(); err != nil {
		d.add(Finding{Check: "abilities", Status: Warn, Found: err.Error(),
			Means: "this kernel does not tell what it can do (5.6 and newer do)", Do: "use a kernel of 6.1 or newer if you can"})
		return
	}
	d.add(supportFinding("features", d.Features))
	d.add(supportFinding("abilities", d.Abilities))
	d.add(supportFinding("opcodes", d.Opcodes))
	d.add(supportFinding("register calls", d.Register))
}

func supportFinding(check string, all []Support) Finding {
	lacking := missing(all)
	f := Finding{Check: check, Status: OK, Found: fmt.Sprintf("%d of %d", len(all)-len(lacking), len(all)),
		Means: "the kernel has all that this liburing knows"}
	if len(lacking) > 0 {
		f.Means = "programs have to do without, or check for: " + strings.Join(lacking, " ")
	}
	return f
}

func (d *Diagnosis) listSupport() error {
	ring, err := liburing.New(2)
	if err != nil {
		return err
	}
	defer ring.Close()
	d.Features = features(ring.Features())
	var errs [3]error
	d.Abilities, errs[0] = supportOf(liburing.AbilityLast)
	d.Opcodes, errs[1] = supportOf(liburing.OpLast)
	d.Register, errs[2] = supportOf(liburing.RegisterLast)
	return errors.Join(errs[:]...)
}

// supportOf asks for all features below end.
func supportOf[F interface {
	liburing.Feature
	~uint8 | ~uint32
}](end F) (all []Support, err error) {
	var wanted []liburing.Feature
	for f := F(0); f < end; f++ {
		wanted = append(wanted, f)
		all = append(all, Support{f.String(), uint32(f), true})
	}
	missing := (*liburing.RequireError)(nil)
	if err := liburing.Require(wanted...); err == nil {
		return all, nil
	} else if !errors.As(err, &missing) {
		return nil, err
	}
	for _, m := range missing.Missing {
		if !errors.Is(m.Err, liburing.ErrNotSupported) {
			return nil, m.Err
		}
		for _, f := range m.Features {
			all[f.(F)].Supported = false
		}
	}
	return all, nil
}

// features lists the features that liburing has a name for, and newer ones that
// the kernel has.
func features(has liburing.Features) (all []Support) {
	for bit := range uint32(32) {
		f := liburing.Features(1) << bit
		if f <= liburing.FeatNoIowait || has&f != 0 {
			all = append(all, Support{f.String(), bit, has&f != 0})
		}
	}
	return all
}
