/*
 * crm.h
 *		What every room of crm includes: the server, and its differences.
 */
#ifndef CRM_H
#define CRM_H

#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

#endif							/* CRM_H */
