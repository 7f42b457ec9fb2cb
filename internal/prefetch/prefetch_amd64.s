#include "textflag.h"

// func Lines(address uintptr, lines int)
TEXT ·Lines(SB), NOSPLIT, $0-16
	MOVQ address+0(FP), AX
	MOVQ lines+8(FP), CX
next:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	DECQ CX
	JGT  next
	RET

// func Here() (goroutine, stack uintptr)
TEXT ·Here(SB), NOSPLIT, $0-16
	MOVQ (TLS), AX
	MOVQ AX, goroutine+0(FP)
	LEAQ goroutine+0(FP), AX
	MOVQ AX, stack+8(FP)
	RET
