// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A UIO driver for QEMU's "edu" device (docs/specs/edu.txt in QEMU): hands its registers, one page for DMA and its
 * interrupt to user space. The kernel's licence is a choice beside the project's, since UIO is for such modules only.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

#define EDU_INTERRUPT_STATUS 0x24
#define EDU_INTERRUPT_ACKNOWLEDGE 0x64
#define EDU_DMA_BITS 28

static bool msi = true;
module_param(msi, bool, 0444);
MODULE_PARM_DESC(msi, "use a message-signalled interrupt (default), not the interrupt line");

struct edu {
	struct uio_info info;
	void __iomem *registers;
	void *page;
	dma_addr_t page_address;
};

/* Acknowledges the interrupt, or a level-triggered line would stay asserted. UIO keeps the count that user space reads. */
static irqreturn_t edu_interrupt(int irq, struct uio_info *info)
{
	struct edu *edu = container_of(info, struct edu, info);
	u32 status = ioread32(edu->registers + EDU_INTERRUPT_STATUS);

	if (!status)
		return IRQ_NONE;
	iowrite32(status, edu->registers + EDU_INTERRUPT_ACKNOWLEDGE);
	return IRQ_HANDLED;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	int error;

	if (!edu)
		return -ENOMEM;
	error = pcim_enable_device(pdev);
	if (error)
		return error;
	pci_set_master(pdev);
	error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(EDU_DMA_BITS));
	if (error)
		return error;
	edu->registers = pcim_iomap(pdev, 0, 0);
	edu->page = dmam_alloc_coherent(&pdev->dev, PAGE_SIZE, &edu->page_address, GFP_KERNEL);
	if (!edu->registers || !edu->page)
		return -ENOMEM;
	error = pci_alloc_irq_vectors(pdev, 1, 1, msi ? PCI_IRQ_MSI : PCI_IRQ_LEGACY);
	if (error < 0)
		return error;

	edu->info.name = "edu";
	edu->info.version = "1";
	edu->info.irq = pci_irq_vector(pdev, 0);
	edu->info.irq_flags = msi ? 0 : IRQF_SHARED;
	edu->info.handler = edu_interrupt;
	edu->info.mem[0].name = "registers";
	edu->info.mem[0].memtype = UIO_MEM_PHYS;
	edu->info.mem[0].addr = pci_resource_start(pdev, 0);
	edu->info.mem[0].size = pci_resource_len(pdev, 0);
	edu->info.mem[1].name = "dma";
	edu->info.mem[1].memtype = UIO_MEM_LOGICAL;
	edu->info.mem[1].addr = (phys_addr_t)(uintptr_t)edu->page;
	edu->info.mem[1].size = PAGE_SIZE;
	pci_set_drvdata(pdev, edu);
	error = uio_register_device(&pdev->dev, &edu->info);
	if (error)
		pci_free_irq_vectors(pdev);
	return error;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	uio_unregister_device(&edu->info);
	pci_free_irq_vectors(pdev);
}

/* The page's address for the device. */
static ssize_t dma_address_show(struct device *dev, struct device_attribute *attribute, char *buffer)
{
	struct edu *edu = dev_get_drvdata(dev);

	return sysfs_emit(buffer, "%pad\n", &edu->page_address);
}
static DEVICE_ATTR_RO(dma_address);

static struct attribute *edu_attrs[] = {
	&dev_attr_dma_address.attr,
	NULL
};
ATTRIBUTE_GROUPS(edu);

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "uio_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.dev_groups = edu_groups,
};
module_pci_driver(edu_driver);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("QEMU's edu device, in user space");
