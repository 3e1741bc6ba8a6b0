/*
 * crm_attribution.h
 *		What other rooms want of an attribution inside the server.
 */
#ifndef CRM_ATTRIBUTION_SERVER_H
#define CRM_ATTRIBUTION_SERVER_H

#include "crm.h"
#include "attribution.h"
#include "crm_journey.h"
#include "crm_names.h"

#define DatumGetAttributionP(X)		((Attribution *) PG_DETOAST_DATUM(X))
#define PG_GETARG_ATTRIBUTION_P(n)	DatumGetAttributionP(PG_GETARG_DATUM(n))

/* where an order without a touch goes */
#define CHANNEL_NONE	"(none)"

/* An attribution that grows. */
typedef struct AttributionState
{
	MemoryContext context;
	Names		models;
	Names		channels;
	int32		room;			/* of channels in cells */
	CreditCell *cells;			/* channel by channel */

	/* of the transition function, for as many touches or channels as needed */
	int32		share_room;
	int64	   *shares;
	int32	   *touch_channels;
	int32		number_room;
	int32	   *numbers;
	bool	   *direct;
} AttributionState;

extern AttributionState *AttributionStateNew(MemoryContext context);
extern int32 AttributionModel(AttributionState *state, const char *name, uint32 length);
extern int32 AttributionChannel(AttributionState *state, const char *name, uint32 length);
extern void AttributionAdd(AttributionState *state, int32 channel, int32 model,
						   WideSum conversions, WideSum value);
extern void AttributionAddValue(AttributionState *state, const Attribution *other);
extern Attribution *AttributionStateValue(AttributionState *state);
extern AttributionState *RulesState(MemoryContext context);
extern void AddOrder(AttributionState *state, const Journey *journey, TouchRange range,
					 const CreditTerms *terms, int64 amount);
extern void TermsInit(CreditTerms *terms);
extern void TermsHalfLife(CreditTerms *terms, const Interval *half_life);
extern void NotNull(FunctionCallInfo fcinfo, int argument, const char *name);
extern WideSum WideFromUnits(int64 units);

extern Journey *CreditJourney(FunctionCallInfo fcinfo, TouchRange *range);
extern void CreditRows(FunctionCallInfo fcinfo, const Journey *journey, TouchRange range,
					   const int64 *shares);
extern Datum ConversionsNumeric(int64 whole, int64 fraction);

#endif							/* CRM_ATTRIBUTION_SERVER_H */
