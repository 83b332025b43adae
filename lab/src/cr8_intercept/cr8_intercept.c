// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * Makes KVM on AMD intercept a guest's every write to CR8, in L1 only.
 *
 * QEMU 7.2 fails an assertion when a guest of its emulated SVM writes CR8 while a virtual interrupt is pending: it emulates the write
 * without the lock that raising an interrupt needs. Linux does not write CR8, but edk2 does at the end of each interrupt. KVM intercepts
 * the write only when the pending interrupt's priority is not above CR8's; with this module KVM always sees priority 0.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

/* void svm_update_cr8_intercept(struct kvm_vcpu *vcpu, int tpr, int irr), arch/x86/kvm/svm/svm.c */
static int before(struct kprobe *probe, struct pt_regs *regs)
{
	regs->dx = 0;
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "svm_update_cr8_intercept",
	.pre_handler = before,
};

static int __init cr8_intercept_init(void)
{
	return register_kprobe(&probe);
}

static void __exit cr8_intercept_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(cr8_intercept_init);
module_exit(cr8_intercept_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("KVM intercepts writes to CR8");
