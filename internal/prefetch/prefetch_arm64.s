#include "textflag.h"

// func Lines(address uintptr, lines int)
TEXT ·Lines(SB), NOSPLIT, $0-16
	MOVD address+0(FP), R0
	MOVD lines+8(FP), R1
next:
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	SUBS $1, R1
	BGT  next
	RET

// func Here() (goroutine, stack uintptr)
TEXT ·Here(SB), NOSPLIT, $0-16
	MOVD g, goroutine+0(FP)
	MOVD $goroutine+0(FP), R0
	MOVD R0, stack+8(FP)
	RET
